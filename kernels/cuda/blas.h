// SPDX-License-Identifier: MIT
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <map>
#include <string>
#include <tuple>

#include "kernels/cuda/runtime.h"

namespace keju::cuda {

// cuBLASLt, opened when the first card is: a machine without it can still start the program.
//
// One algorithm per kind of product, found once for a fixed number of rows and then used for every
// number: tile shape and order of sums do not change with the batch. Split-K and reductions over
// workspaces are excluded.
class Blas {
 public:
  // Why there is no cuBLASLt on this machine, "" if there is.
  static std::string absence();
  // Errors: Error(kDevice) naming the library that is missing.
  Blas();
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  std::string version() const;
  void gemm(const GemmCall& call, cudaStream_t stream);

 private:
  struct Library;
  // n, k, type, bias, accumulate, common alignment of the four operands in bytes.
  using Kind = std::tuple<int64_t, int64_t, DType, bool, bool, int>;
  struct Product;
  const cublasLtMatmulAlgo_t& algorithm(const Kind& kind, const GemmCall& call);

  Library* library_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::map<Kind, cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace keju::cuda
