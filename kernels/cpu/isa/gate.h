// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: what a feed-forward layer makes of its gates and ups, while they
// are still in a core's own cache.
#include "kernels/cpu/isa/table.h"

namespace keju {
namespace {

// `rows` rows of sixteen gates and then sixteen ups, `stride` apart, to sixteen results each.
using GateRows = void (*)(const GluSpec& spec,
                          const float* both,
                          int64_t stride,
                          int64_t rows,
                          float* out,
                          int64_t out_stride);

template <typename Function>
KEJU_INLINE void each_gate(const float* both,
                           int64_t stride,
                           int64_t rows,
                           float* out,
                           int64_t out_stride,
                           const Function& function) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* const row = both + r * stride;
    store(out + r * out_stride, function(load(row), load(row + kPanel)));
  }
}

// The activation is a constant inside each loop, so that the loop holds only its own arithmetic.
template <Activation kActivation>
void gate_rows_of(const GluSpec&,
                  const float* both,
                  int64_t stride,
                  int64_t rows,
                  float* out,
                  int64_t out_stride) {
  each_gate(both, stride, rows, out, out_stride, [](V gate, V up) {
    return activation_lanes(kActivation, gate) * up;
  });
}

void gate_rows_clamped(const GluSpec& spec,
                       const float* both,
                       int64_t stride,
                       int64_t rows,
                       float* out,
                       int64_t out_stride) {
  each_gate(both, stride, rows, out, out_stride, [&spec](V gate, V up) {
    return glu_lanes(spec, gate, up);
  });
}

inline GateRows gate_rows(const GluSpec& spec) {
  if (spec.clamp_limit > 0) return gate_rows_clamped;
  switch (spec.activation) {
    case Activation::kSilu:
      return gate_rows_of<Activation::kSilu>;
    case Activation::kGeluTanh:
      return gate_rows_of<Activation::kGeluTanh>;
    case Activation::kGeluErf:
      return gate_rows_of<Activation::kGeluErf>;
    case Activation::kRelu:
      return gate_rows_of<Activation::kRelu>;
    case Activation::kRelu2:
      return gate_rows_of<Activation::kRelu2>;
    case Activation::kGeluQuick:
      return gate_rows_of<Activation::kGeluQuick>;
  }
  return gate_rows_clamped;
}

}  // namespace
}  // namespace keju
