// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/fast_table.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {

// Fast mode: products with block types take the activations in int16. A numeric mode of its own, as
// invariant as exact mode: a row's codes depend on that row alone. All other ops, and products with
// F32, F16 and BF16 weights, are exact mode's. (In int8, choices of small models agreed with exact
// mode's on no more than 88 to 93 of 100 items; a code of 16 bits costs a second int8 product.)
//
// Each 32 activations of a row become codes q = round(x·L/a) in [-L, L], L = 32512, ties to even,
// and a scale a/L, where a is their largest magnitude (all zeros if a < 1e-30; the scale is NaN if
// any of them is not finite). With the weights as s·w (or s·w + m) per sub-block, an output starts
// as in linear(), and for every sub-block of k in ascending order, by fused operations:
//   out += (scale · float(Σ q·w)) · s      Σ in integers; each product in brackets rounded once
//   out += (scale · float(Σ q)) · m        where the type has m
class PlainFastBackend : public PlainBackend {
 public:
  using PlainBackend::PlainBackend;
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;

 protected:
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;
};

class FastBackend : public LanesBackend {
 public:
  FastBackend(int threads, BackendFacts facts, const CpuKernels& kernels, const FastKernels& fast);
  void linear(Rows x, const Matrix& w, const Vector* bias, bool accumulate, Rows out) override;
  void linear_glu(Rows x,
                  const Matrix& gate_up,
                  const Vector* bias,
                  const GluSpec& spec,
                  Rows wide,
                  Rows out) override;

 protected:
  void prepare_head(Rows x, const Matrix& w) override;
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;

 private:
  // Codes of x for weights of `dtype`, `group` rows at a time; good until the next call.
  const std::byte* quantise(Rows x, DType dtype, int64_t group);

  const FastKernels& fast_;
  Scratch codes_;
  const std::byte* head_codes_ = nullptr;
};

}  // namespace keju
