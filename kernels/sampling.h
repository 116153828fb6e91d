// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/backend.h"

// The arithmetic of Backend::sample, which every backend shares to the bit: additions and
// multiplications in double, each rounded by itself, and integers.
//
// A token's mass is e^((logit - best)/temperature) in units of 2^-40, to the nearest integer. Sums
// of integers need no order, so a row's draw does not depend on who adds them up and how.
#ifdef __CUDACC__
#define KEJU_EVERYWHERE __host__ __device__ __forceinline__
#else
#define KEJU_EVERYWHERE inline __attribute__((always_inline))
#endif

namespace keju {

inline constexpr uint64_t kSampleUnit = uint64_t{1} << 40;  // mass of the best token
inline constexpr double kSampleLowest = -28.5;              // below, a mass is 0

// A rule in the form that the arithmetic wants.
struct SampleCut {
  double inverse = 1;  // 1 / temperature
  double top_p = 1;
  double least = 0;  // the mass that min_p asks for
  double draw = 0;
  uint64_t count = 0;  // top_k; 0: all
};

inline SampleCut sample_cut(const SampleRule& rule) {
  if (!(rule.temperature > 0)) return {.count = 1};
  return {.inverse = 1 / rule.temperature,
          .top_p = rule.top_p,
          .least = rule.min_p * static_cast<double>(kSampleUnit),
          .draw = rule.draw,
          .count = rule.top_k > 0 ? static_cast<uint64_t>(rule.top_k) : 0};
}

// nvcc would fuse a product and a sum; the host is told not to (cmake/keju.cmake).
KEJU_EVERYWHERE double rounded_product(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}
KEJU_EVERYWHERE double rounded_sum(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dadd_rn(a, b);
#else
  return a + b;
#endif
}
KEJU_EVERYWHERE uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
KEJU_EVERYWHERE double of_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// (logit - best) / temperature; 0 for the best itself, whatever it is.
KEJU_EVERYWHERE double sample_exponent(float logit, float best, double inverse) {
  const double below = static_cast<double>(logit) - static_cast<double>(best);
  return logit == best ? 0.0 : rounded_product(below, inverse);
}

// e^x · 2^40 to the nearest integer, for x <= 0; 0 for a NaN. No branch: loops over it become
// vectors. x = k·ln 2 + r with |r| <= ln 2 / 2, and e^r is its Taylor polynomial to r^12, off by
// less than 2e-16.
KEJU_EVERYWHERE uint64_t sample_mass(double x) {
  constexpr double kLog2E = 1.44269504088896338700;
  constexpr double kLn2High = 6.93147180369123816490e-01;  // times k it is exact
  constexpr double kLn2Low = 1.90821492927058770002e-10;
  constexpr double kToInteger = 6755399441055744.0;  // 1.5 · 2^52: a sum with it has no fraction
  constexpr double kToNatural = 4503599627370496.0;  // 2^52
  const double shifted = rounded_sum(rounded_product(x, kLog2E), kToInteger);
  const double k = rounded_sum(shifted, -kToInteger);
  const double high = rounded_sum(x, -rounded_product(k, kLn2High));
  const double r = rounded_sum(high, -rounded_product(k, kLn2Low));
  double p = 1.0 / 479001600.0;
  p = rounded_sum(rounded_product(p, r), 1.0 / 39916800.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 3628800.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 362880.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 40320.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 5040.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 720.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 120.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 24.0);
  p = rounded_sum(rounded_product(p, r), 1.0 / 6.0);
  p = rounded_sum(rounded_product(p, r), 0.5);
  p = rounded_sum(rounded_product(p, r), 1.0);
  p = rounded_sum(rounded_product(p, r), 1.0);
  // The low bits of `shifted` are k; the exponent field wants 1023 + 40 + k.
  const double power = of_bits((bits_of(shifted) + 1063) << 52);
  const double whole = rounded_sum(rounded_product(p, power), kToNatural);
  const uint64_t mass = bits_of(whole) & ((uint64_t{1} << 52) - 1);
  return x > kSampleLowest ? mass : 0;
}

KEJU_EVERYWHERE uint64_t sample_mass(float logit, float best, double inverse) {
  return sample_mass(sample_exponent(logit, best, inverse));
}

// The mass that the smallest set of best tokens must reach which top_p keeps: 1 to total.
KEJU_EVERYWHERE uint64_t top_p_mass(uint64_t total, double top_p) {
  if (!(top_p < 1)) return total;
  const double wanted = rounded_product(top_p, static_cast<double>(total));
  if (!(wanted > 1)) return 1;
  const auto below = static_cast<uint64_t>(wanted);
  const uint64_t mass = static_cast<double>(below) < wanted ? below + 1 : below;
  return mass < total ? mass : total;
}

// Where the draw falls in [0, kept).
KEJU_EVERYWHERE uint64_t drawn_position(uint64_t kept, double draw) {
  const auto position = static_cast<uint64_t>(rounded_product(draw, static_cast<double>(kept)));
  return position < kept ? position : kept - 1;
}

}  // namespace keju
