// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/bf16_table.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {

// Fast mode where the processor multiplies bfloat16: in all products with weights, of whatever
// type, activations and expanded weights are sums of two bfloat16 numbers, of which the products of
// the two low parts are left out: 2^-16 of each product, against 2^-9 of plain bfloat16. A numeric
// mode of its own, as invariant as exact mode; all other ops are exact mode's.
//
// x = xh + xl, w = wh + wl: the high part is the nearest bfloat16 (ties to even), the low part that
// of the rest. An output starts as in linear(). For every 32 of k in ascending order (missing ones
// are zeros) and for each of xl·wh, xh·wh, xh·wl (this one not for BF16 weights, which have none):
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
  // x in parts; good until the next call.
  const std::byte* split_rows(Rows x);

  const Bf16Kernels& bf16_;
  Scratch split_;
  const std::byte* head_rows_ = nullptr;
};

}  // namespace keju
