// SPDX-License-Identifier: MIT
// Norms and the other ops that look at one row, or one element, at a time.
#include <cmath>

#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/plain_backend.h"

namespace keju {

NormStats plain_norm_stats(const float* x, int64_t n, const NormSpec& spec) {
  const float count = static_cast<float>(n);
  NormStats stats;
  if (spec.kind == NormKind::kLayer) {
    float sums[16] = {};
    for (int64_t i = 0; i < n; ++i) sums[i % 16] = sums[i % 16] + x[i];
    stats.mean = fold_lanes(sums) / count;
  }
  float squares[16] = {};
  for (int64_t i = 0; i < n; ++i) {
    const float centred = x[i] - stats.mean;
    squares[i % 16] = mul_add(centred, centred, squares[i % 16]);
  }
  stats.inverse = 1.0f / std::sqrt(fold_lanes(squares) / count + spec.eps);
  return stats;
}

void plain_norm_apply(const float* x,
                      int64_t n,
                      NormStats stats,
                      const NormSpec& spec,
                      int64_t weight_offset,
                      float* out) {
  for (int64_t i = 0; i < n; ++i) {
    float value = (x[i] - stats.mean) * stats.inverse;
    float weight = spec.weight != nullptr ? spec.weight->data[weight_offset + i] : 1.0f;
    if (spec.weight != nullptr && spec.one_plus_weight) weight = 1.0f + weight;
    value = value * weight;
    if (spec.bias != nullptr) value = value + spec.bias->data[weight_offset + i];
    out[i] = value;
  }
}

void PlainBackend::norm(Rows x, const NormSpec& spec, Rows out) {
  for (int64_t t = 0; t < x.count; ++t) {
    const float* row = x.data + t * x.stride;
    const NormStats stats = plain_norm_stats(row, x.width, spec);
    plain_norm_apply(row, x.width, stats, spec, 0, out.data + t * out.stride);
  }
}

void PlainBackend::add(Rows h, Rows delta, float alpha) {
  for (int64_t t = 0; t < h.count; ++t) {
    add_row(h.data + t * h.stride, delta.data + t * delta.stride, alpha, h.width);
  }
}

void PlainBackend::add_row(float* row, const float* from, float alpha, int64_t n) {
  for (int64_t d = 0; d < n; ++d) row[d] = mul_add(alpha, from[d], row[d]);
}

void PlainBackend::glu(Rows gate_up, const GluSpec& spec, Rows out) {
  for (int64_t t = 0; t < gate_up.count; ++t) {
    const float* gate = gate_up.data + t * gate_up.stride;
    const float* up = gate + out.width;
    float* to = out.data + t * out.stride;
    for (int64_t f = 0; f < out.width; ++f) to[f] = glu_lanes(spec, gate[f], up[f]);
  }
}

void PlainBackend::activate(Rows x, Activation activation) {
  for (int64_t t = 0; t < x.count; ++t) {
    float* row = x.data + t * x.stride;
    for (int64_t d = 0; d < x.width; ++d) row[d] = activation_lanes(activation, row[d]);
  }
}

}  // namespace keju
