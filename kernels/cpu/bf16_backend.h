// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/bf16_table.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {

// Fast mode where the processor multiplies bfloat16: all products with weights, of whatever type,
// round activations and expanded weights to bfloat16 (nearest, ties to even) and sum in float32. A
// numeric mode of its own, as invariant as exact mode; all other ops are exact mode's.
//
// An output starts as in linear(). For every 32 of k in ascending order (missing ones are zeros):
//   e = fused sum over the even k of the 32, ascending, from 0; o = the same over the odd ones
//   out = out + (e + o)
// Subnormal inputs and results of each operation count as zeros of their sign.
class PlainBf16Backend : public PlainBackend {
 public:
  using PlainBackend::PlainBackend;
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;

 protected:
  void head_tile(Rows x,
                 const Matrix& w,
                 const HeadSpec& spec,
                 int64_t row0,
                 int64_t rows,
                 int64_t begin,
                 int64_t end,
                 float* out,
                 int64_t stride,
                 int worker) override;
};

class Bf16Backend : public LanesBackend {
 public:
  Bf16Backend(int threads, BackendFacts facts, const CpuKernels& kernels, const Bf16Kernels& bf16);
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;

 protected:
  void prepare_head(Rows x, const Matrix& w) override;
  void head_tile(Rows x,
                 const Matrix& w,
                 const HeadSpec& spec,
                 int64_t row0,
                 int64_t rows,
                 int64_t begin,
                 int64_t end,
                 float* out,
                 int64_t stride,
                 int worker) override;

 private:
  // x as bfloat16; good until the next call.
  const std::byte* round_rows(Rows x);

  const Bf16Kernels& bf16_;
  Scratch rounded_;
  const std::byte* head_rows_ = nullptr;
};

}  // namespace keju
