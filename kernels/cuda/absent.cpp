// SPDX-License-Identifier: MIT
// Stands in for the CUDA backend in builds without it.
#include "base/error.h"
#include "kernels/cuda/cuda_backend.h"

namespace keju {

std::string cuda_absence() { return "this build has no CUDA"; }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) {
  throw fail(Code::kDevice, "cuda: found a build without CUDA, need one with it and a GPU");
}

}  // namespace keju
