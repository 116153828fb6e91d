// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/backend.h"

// Elementary functions as one fixed sequence of IEEE operations, written once for a lane type V:
// float in the plain loops, 16 floats in the vector kernels. The same sequence on every type is
// what makes every ISA agree bit for bit, so nothing here may be reordered for one of them.
//
// A lane type has + - * /, and by overload: mul_add(a, b, c) = a·b + c rounded once, less(a, b),
// select(mask, yes, no), max_lanes(a, b) = a > b ? a : b, power_of_two(n + kRoundMagic) = 2^n, and
// spread<V>(float).
//
// The polynomials are least-maximum fits made for these intervals; their errors stand beside them.
namespace keju {

inline constexpr float kRoundMagic = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer

inline float mul_add(float a, float b, float c) { return std::fma(a, b, c); }
inline bool less(float a, float b) { return a < b; }
inline float select(bool mask, float yes, float no) { return mask ? yes : no; }
inline float max_lanes(float a, float b) { return a > b ? a : b; }
inline float power_of_two(float magic) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(magic) << 23) + 0x3F800000u);
}

template <typename V>
struct Spread {
  static V of(float value) { return V::spread(value); }
};
template <>
struct Spread<float> {
  static float of(float value) { return value; }
};
template <typename V>
V spread(float value) {
  return Spread<V>::of(value);
}

// e^x. Zero below -87.336 (no subnormal results) and infinity above 88.37. Error below 1.1 ulp.
template <typename V>
V exp_lanes(V x) {
  const V rounded = mul_add(x, spread<V>(1.44269504f), spread<V>(kRoundMagic));
  const V n = rounded - spread<V>(kRoundMagic);
  // ln 2 in two parts, the first with zero bits at its end, so that n·high is exact.
  V r = mul_add(n, spread<V>(-0.693145752f), x);
  r = mul_add(n, spread<V>(-1.42860682e-6f), r);
  // e^r = 1 + r + r²·q(r), |r| <= ln2/2; q to 6.5e-8
  V q = spread<V>(0x1.6d110ap-10f);
  q = mul_add(q, r, spread<V>(0x1.120b6ep-7f));
  q = mul_add(q, r, spread<V>(0x1.55551ap-5f));
  q = mul_add(q, r, spread<V>(0x1.5554dcp-3f));
  q = mul_add(q, r, spread<V>(0.5f));
  const V p = mul_add(r * r, q, r) + spread<V>(1.0f);
  V result = p * power_of_two(rounded);
  result = select(less(x, spread<V>(-87.336f)), spread<V>(0.0f), result);
  return select(less(spread<V>(88.37f), x), spread<V>(HUGE_VALF), result);
}

template <typename V>
V sigmoid_lanes(V x) {
  return spread<V>(1.0f) / (spread<V>(1.0f) + exp_lanes(spread<V>(0.0f) - x));
}

// |x| < 0.62: x + x³·p(x²), p to 4.3e-8; beyond: ±(1 - 2 / (e^2|x| + 1)).
template <typename V>
V tanh_lanes(V x) {
  const V zero = spread<V>(0.0f);
  const V one = spread<V>(1.0f);
  const V size = max_lanes(x, zero - x);
  const V z = x * x;
  V p = spread<V>(-0x1.8fc7e2p-8f);
  p = mul_add(p, z, spread<V>(0x1.580e82p-6f));
  p = mul_add(p, z, spread<V>(-0x1.b92698p-5f));
  p = mul_add(p, z, spread<V>(0x1.110e22p-3f));
  p = mul_add(p, z, spread<V>(-0x1.555552p-2f));
  const V small = mul_add(z * x, p, x);
  const V big = one - spread<V>(2.0f) / (exp_lanes(size + size) + one);
  const V signed_big = select(less(x, zero), zero - big, big);
  return select(less(size, spread<V>(0.62f)), small, signed_big);
}

// |x| < 1: x·p(x²), p to 1.3e-9; up to 4: ±(1 - e^q(|x|)), q = log erfc to 1.7e-8; beyond: ±1.
template <typename V>
V erf_lanes(V x) {
  const V zero = spread<V>(0.0f);
  const V one = spread<V>(1.0f);
  const V size = max_lanes(x, zero - x);
  const V z = x * x;
  V p = spread<V>(0x1.4a5690p-14f);
  p = mul_add(p, z, spread<V>(-0x1.a45088p-11f));
  p = mul_add(p, z, spread<V>(0x1.541270p-8f));
  p = mul_add(p, z, spread<V>(-0x1.b7fabap-6f));
  p = mul_add(p, z, spread<V>(0x1.ce2d10p-4f));
  p = mul_add(p, z, spread<V>(-0x1.81273ep-2f));
  p = mul_add(p, z, spread<V>(0x1.20dd74p+0f));
  const V small = x * p;
  V q = spread<V>(0x1.b778300p-20f);
  q = mul_add(q, size, spread<V>(-0x1.825ce4p-15f));
  q = mul_add(q, size, spread<V>(0x1.38e5e6p-11f));
  q = mul_add(q, size, spread<V>(-0x1.37ecc6p-8f));
  q = mul_add(q, size, spread<V>(0x1.b0e246p-6f));
  q = mul_add(q, size, spread<V>(-0x1.c2e356p-4f));
  q = mul_add(q, size, spread<V>(-0x1.437eb4p-1f));
  q = mul_add(q, size, spread<V>(-0x1.2156fap+0f));
  q = mul_add(q, size, spread<V>(0x1.4fb068p-12f));
  V big = one - exp_lanes(q);
  big = select(less(spread<V>(4.0f), size), one, big);
  const V signed_big = select(less(x, zero), zero - big, big);
  return select(less(size, one), small, signed_big);
}

// x / (1 + e^(-alpha·x)): SiLU with alpha 1, the quick GELU with 1.702.
template <typename V>
V swish_lanes(V x, float alpha) {
  const V arg = x * spread<V>(-alpha);
  return x / (spread<V>(1.0f) + exp_lanes(arg));
}

template <typename V>
V activation_lanes(Activation activation, V x) {
  switch (activation) {
    case Activation::kSilu:
      return swish_lanes(x, 1.0f);
    case Activation::kGeluQuick:
      return swish_lanes(x, 1.702f);
    case Activation::kGeluTanh: {
      const V inner = mul_add(x * x * x, spread<V>(0.044715f), x) * spread<V>(0.797884561f);
      return x * spread<V>(0.5f) * (spread<V>(1.0f) + tanh_lanes(inner));
    }
    case Activation::kGeluErf:
      return x * spread<V>(0.5f) * (spread<V>(1.0f) + erf_lanes(x * spread<V>(0.707106781f)));
    case Activation::kRelu:
      return max_lanes(x, spread<V>(0.0f));
    case Activation::kRelu2: {
      const V positive = max_lanes(x, spread<V>(0.0f));
      return positive * positive;
    }
  }
  return x;
}

// The feed-forward gate of one element; see GluSpec.
template <typename V>
V glu_lanes(const GluSpec& spec, V gate, V up) {
  if (spec.clamp_limit > 0) {
    const V limit = spread<V>(spec.clamp_limit);
    const V bottom = spread<V>(-spec.clamp_limit);
    gate = select(less(limit, gate), limit, gate);
    up = select(less(limit, up), limit, up);
    up = select(less(up, bottom), bottom, up);
    return swish_lanes(gate, spec.sigmoid_alpha) * (up + spread<V>(1.0f));
  }
  return activation_lanes(spec.activation, gate) * up;
}

// cap·tanh(x/cap)
template <typename V>
V softcap_lanes(V x, float cap) {
  return spread<V>(cap) * tanh_lanes(x / spread<V>(cap));
}

}  // namespace keju
