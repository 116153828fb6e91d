// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "kernels/cpu/isa/w16_table.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_coded.h"

namespace keju {

// Fast mode where the processor multiplies tiles of int8: in all products with weights, of whatever
// type, activations and expanded weights are integers of 16 bits with a scale for some hundreds of
// k. An integer is two bytes, of which the product of the two low ones is left out: three int8
// products stand for one of floats. A numeric mode of its own, as invariant as exact mode; all
// other ops are exact mode's.
//
// k is cut into groups (w16_table.h). In each, of a row of x as of a row of W,
//   a = largest magnitude; inverse = L/a, scale = a/L, L = 32512
//   q = v·inverse rounded to a whole number, ties to even, in one fused operation
//   (a < 1e-30: all zeros; any v not finite: the scale is NaN and the codes zero)
//   q = 256·h + l, -128 <= l <= 127
// An output starts as in linear(), and for the groups in ascending order, by fused operations:
//   f = 256·float(Σ hx·hw) + float(Σ (hx·lw + lx·hw))       sums in integers
//   out += (f · scale of x) · (a of w / 127)                each bracket rounded once
// However large single values are, what a group loses to rounding stays below 2^-10 of the product
// of the norms of its x and w, and is mostly far below.
struct W16Plain {
  struct Row {
    std::vector<int32_t> high;
    std::vector<int32_t> low;
    std::vector<float> scales;  // by group
  };
  static Row activations(const float* x, int64_t k);
  static Row weights(const Matrix& w, int64_t n);
  static float dot(const Row& x, const Row& w, int64_t k, float start);
};
using PlainW16Backend = PlainCodedBackend<W16Plain>;

class W16Backend : public LanesBackend {
 public:
  W16Backend(int threads,
             BackendFacts facts,
             const CpuKernels& kernels,
             const W16Kernels& w16,
             const W16FewKernels& few);
  std::unique_ptr<Matrix> make_matrix(const MatrixSource& source) override;

 protected:
  void prepare_head(Rows x, const Matrix& w) override;
  void head_tile(Rows x, const Matrix& w, const HeadSpec& spec, const LogitTile& tile) override;
  int64_t few_rows() const override { return kW16FewRows; }
  void multiply_few(Rows x, LinearArgs args) override;
  void multiply(Rows x, LinearArgs args) override;

 private:
  // Codes of x, `group` rows at a time, each w16_bytes(group, width) after the one before; good
  // until the next call.
  const std::byte* quantise(Rows x, int64_t group);
  const std::byte* quantise_few(Rows x);

  const W16Kernels& w16_;
  const W16FewKernels& few_;
  Scratch codes_;
  const std::byte* head_codes_ = nullptr;
};

}  // namespace keju
