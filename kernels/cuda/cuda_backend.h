// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace keju {

struct CudaOptions {
  int device = 0;
  // false: native, the checkpoint's 16-bit type with float32 sums (float32 checkpoints stay
  // float32; block types are expanded to BF16 on their way into the tensor cores).
  // true: exact, float32 throughout, TF32 never.
  bool exact = false;
};

// Why `--backend cuda` cannot run in this build on this machine, "" if it can.
std::string cuda_absence();

// Errors: Error(kDevice) with cuda_absence()'s line, or what the card answered.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options);

}  // namespace keju
