// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "kernels/cpu/isa/w13_table.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_coded.h"

namespace keju {

// Fast mode where the processor multiplies pairs of int16 (VPDPWSSD, twice the products of a fused
// multiply-add): in all products with weights, of whatever type, activations and weights are
// integers with one scale for up to 256 k, of about 13 bits each: as large as sums of 32 bits
// allow. A numeric mode of its own, as invariant as exact mode; all other ops are exact mode's.
// (With int8 activations, choices of small models agreed with exact mode's on 88 to 93 of 100
// items.)
//
// k is cut into groups (w13_table.h). In each, for a row of x as for a row of W, with L = 32700 and
// N = 46280,
//   a     = largest magnitude
//   n     = Σ (v·(1/a))², by fused operations; of x in 16 lanes that are folded, of W k by k
//   scale = a · max(1/L, sqrt(n)·(1/N))
//   q     = v·(1/scale) rounded to a whole number, ties to even, in one fused operation
// (a < 1e-30: the scale and all codes are zero; any v not finite: the scale is NaN).
// Weights of block types are not rounded one by one: a value is s·c + m with a whole c of b bits,
// -2^(b-1) <= c < 2^(b-1), and with h = 2^(b-1)
//   S = s·h·(1/scale), M = m·(1/scale), each rounded as q above
//   q = (c·S/h rounded to a whole number, ties up) + M
// where `a` is also no less than |s|·h and |m| of any sub-block; m is 0 for types without one, and
// moved by s·h where the stored code is unsigned. An output starts as in linear(), and for the
// groups in ascending order
//   out += (float(Σ qx·qw) · scale of x) · scale of w     Σ in integers; the last step fused
//
// No sum overflows: |Σ qx·qw| <= ‖qx‖·‖qw‖ (Cauchy, Schwarz), also of any part of a group; a code
// is off by no more than 0.5, of block types 1.5 (0.5 each from S, whose error counts |c|/h <= 1
// times, M, and their sum); float errors of n move N by less than 1e-5. So ‖qx‖ < 46280.5 +
// 0.5·sqrt(256) and ‖qw‖ < 46280.5 + 1.5·sqrt(256), whose product is below 2.144e9 < 2^31 - 1. And
// |q| <= L + 1.5 < 2^15. What a group loses is mostly near 2^-12.5 of the product of the norms of
// its x and w, divided by the root of its length; large single values cost no more than with a
// scale by the largest.
struct W13Plain {
  struct Row {
    std::vector<int32_t> codes;
    std::vector<float> scales;  // by group
  };
  static Row activations(const float* x, int64_t k);
  static Row weights(const Matrix& w, int64_t n);
  static float dot(const Row& x, const Row& w, int64_t k, float start);
};
using PlainW13Backend = PlainCodedBackend<W13Plain>;

class W13Backend : public LanesBackend {
 public:
  W13Backend(int threads, BackendFacts facts, const CpuKernels& kernels, const W13Kernels& w13);
  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;

 protected:
  void prepare_head(Rows x, const Matrix& w) override;
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;
  int64_t few_rows() const override { return kW13DirectRows; }
  bool gates_in_tiles() const override { return false; }
  void multiply_few(Rows x, LinearArgs args) override;
  void multiply(Rows x, LinearArgs args) override;

 private:
  // Codes of x, good until the next call: of few rows as direct() wants them, else `group` rows at
  // a time as tiles() wants them, each w13_bytes(group, width) after the one before.
  const float* quantise(Rows x, int64_t group);

  const W13Kernels& w13_;
  Scratch codes_;
  const float* head_codes_ = nullptr;
};

}  // namespace keju
