// SPDX-License-Identifier: MIT
// Stands in for the CUDA backend in builds without it.
#include "base/error.h"
#include "kernels/cuda/cuda_backend.h"

namespace keju {

std::string cuda_absence() { return "this build has no CUDA"; }

int cuda_device_count() { return 0; }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) {
  throw fail(Code::kDevice, "cuda: found a build without CUDA, need one with it and a GPU");
}

std::unique_ptr<Backend> make_cuda_count(const CudaOptions& options) {
  return make_cuda_backend(options);
}

CudaPlan plan_cuda(std::span<const CudaShare>, const CudaWish&) { return {}; }

}  // namespace keju
