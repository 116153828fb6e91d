// SPDX-License-Identifier: MIT
#pragma once

// Included after lanes_<isa>.h: the ops that look at one row, or one element, at a time.
#include "kernels/cpu/isa/table.h"
#include "kernels/sampling.h"

namespace keju {
namespace {

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Σ (x - mean)² or Σ x in 16 lanes; missing lanes of the last vector add zero, which changes
// nothing.
inline float sum_of(const float* x, int64_t n) {
  V sum = V::spread(0.0f);
  for (int64_t i = 0; i < n; i += 16) sum = sum + load_first(x + i, least(16, n - i));
  return fold(sum, false);
}
inline float squares_of(const float* x, int64_t n, float mean) {
  V sum = V::spread(0.0f);
  const V centre = V::spread(mean);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V centred = load(x + i) - centre;
    sum = mul_add(centred, centred, sum);
  }
  if (i < n) {
    const V centred = load_first(x + i, n - i) - centre;
    const V kept = select(lanes_between(0, n - i), centred, V::spread(0.0f));
    sum = mul_add(kept, kept, sum);
  }
  return fold(sum, false);
}

struct Stats {
  float mean;
  float inverse;
};

inline Stats norm_stats(const float* x, int64_t n, const NormSpec& spec) {
  const float count = static_cast<float>(n);
  Stats stats{0, 0};
  if (spec.kind == NormKind::kLayer) stats.mean = sum_of(x, n) / count;
  const float variance = squares_of(x, n, stats.mean) / count;
  stats.inverse = 1.0f / __builtin_sqrtf(variance + spec.eps);
  return stats;
}

inline void norm_apply(
    const float* x, int64_t n, Stats stats, const NormArgs& args, int64_t offset, float* out) {
  const V mean = V::spread(stats.mean);
  const V inverse = V::spread(stats.inverse);
  const V one = V::spread(1.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t lanes = least(16, n - i);
    V value = (load_first(x + i, lanes) - mean) * inverse;
    if (args.weight != nullptr) {
      V weight = load_first(args.weight + offset + i, lanes);
      if (args.spec.one_plus_weight) weight = one + weight;
      value = value * weight;
    }
    if (args.bias != nullptr) value = value + load_first(args.bias + offset + i, lanes);
    store_first(out + i, value, lanes);
  }
}

void norm_row(const float* x, int64_t n, const NormArgs& args, float* out) {
  norm_apply(x, n, norm_stats(x, n, args.spec), args, 0, out);
}

void add_scaled(float* h, const float* delta, float alpha, int64_t n) {
  const V a = V::spread(alpha);
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t lanes = least(16, n - i);
    store_first(h + i, mul_add(a, load_first(delta + i, lanes), load_first(h + i, lanes)), lanes);
  }
}

// out[i] = function(x[i], y[i])
template <typename Function>
KEJU_INLINE void map(
    const float* x, const float* y, int64_t n, float* out, const Function& function) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store(out + i, function(load(x + i), load(y + i)));
  if (i < n) {
    store_first(out + i, function(load_first(x + i, n - i), load_first(y + i, n - i)), n - i);
  }
}

// The activation is a constant inside each loop, so that the loop holds only its own arithmetic.
template <Activation kActivation>
void glu_of(const float* gate, const float* up, int64_t n, float* out) {
  map(gate, up, n, out, [](V g, V u) { return activation_lanes(kActivation, g) * u; });
}
template <Activation kActivation>
void activate_of(float* x, int64_t n) {
  map(x, x, n, x, [](V a, V) { return activation_lanes(kActivation, a); });
}

void glu_row(const float* gate, const float* up, const GluSpec& spec, int64_t n, float* out) {
  if (spec.clamp_limit > 0) {
    return map(gate, up, n, out, [&spec](V g, V u) { return glu_lanes(spec, g, u); });
  }
  switch (spec.activation) {
    case Activation::kSilu:
      return glu_of<Activation::kSilu>(gate, up, n, out);
    case Activation::kGeluTanh:
      return glu_of<Activation::kGeluTanh>(gate, up, n, out);
    case Activation::kGeluErf:
      return glu_of<Activation::kGeluErf>(gate, up, n, out);
    case Activation::kRelu:
      return glu_of<Activation::kRelu>(gate, up, n, out);
    case Activation::kRelu2:
      return glu_of<Activation::kRelu2>(gate, up, n, out);
    case Activation::kGeluQuick:
      return glu_of<Activation::kGeluQuick>(gate, up, n, out);
  }
}

void activate_row(float* x, Activation activation, int64_t n) {
  switch (activation) {
    case Activation::kSilu:
      return activate_of<Activation::kSilu>(x, n);
    case Activation::kGeluTanh:
      return activate_of<Activation::kGeluTanh>(x, n);
    case Activation::kGeluErf:
      return activate_of<Activation::kGeluErf>(x, n);
    case Activation::kRelu:
      return activate_of<Activation::kRelu>(x, n);
    case Activation::kRelu2:
      return activate_of<Activation::kRelu2>(x, n);
    case Activation::kGeluQuick:
      return activate_of<Activation::kGeluQuick>(x, n);
  }
}

void finish_logits(float* x, float scale, float softcap, int64_t n) {
  if (softcap > 0) {
    return map(x, x, n, x, [=](V a, V) { return softcap_lanes(a * V::spread(scale), softcap); });
  }
  if (scale != 1.0f) map(x, x, n, x, [=](V a, V) { return a * V::spread(scale); });
}

void max_and_sum(const float* x, int64_t n, float* max, float* sum) {
  const V low = V::spread(-HUGE_VALF);
  V top = low;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) top = max_lanes(load(x + i), top);
  if (i < n) top = max_lanes(select(lanes_between(0, n - i), load_first(x + i, n - i), low), top);
  *max = fold(top, true);
  const V peak = V::spread(*max);
  V total = V::spread(0.0f);
  for (i = 0; i + 16 <= n; i += 16) total = total + exp_lanes(load(x + i) - peak);
  if (i < n) {
    const V last = exp_lanes(load_first(x + i, n - i) - peak);
    total = total + select(lanes_between(0, n - i), last, V::spread(0.0f));
  }
  *sum = fold(total, false);
}

// The compiler makes vectors of it: every step is an operation on 64-bit lanes.
void masses(const float* logits, int64_t n, float best, double inverse, uint64_t* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = sample_mass(logits[i], best, inverse);
}

inline void fill_rows(CpuKernels& table) {
  table.norm_row = norm_row;
  table.add = add_scaled;
  table.glu = glu_row;
  table.activate = activate_row;
  table.finish_logits = finish_logits;
  table.max_and_sum = max_and_sum;
  table.masses = masses;
}

}  // namespace
}  // namespace keju
