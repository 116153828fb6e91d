// SPDX-License-Identifier: MIT
#include "base/exact_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace keju {
namespace {

// Both split so that k·high is exact for |k| < 2^20: the high parts end in zero bits.
constexpr double kLn2High = 6.93147180369123816490e-01;
constexpr double kLn2Low = 1.90821492927058770002e-10;
constexpr double kHalfPi1 = 1.57079632673412561417e+00;  // 33 bits of pi/2
constexpr double kHalfPi2 = 6.07710050630396597660e-11;  // the next 33
constexpr double kHalfPi3 = 2.02226624879595063154e-21;  // and the rest

double scale_by_power_of_two(double x, int64_t exponent) {
  // In two steps, so that neither factor leaves the normal range.
  const int64_t half = exponent / 2;
  const auto power = [](int64_t e) {
    return std::bit_cast<double>(static_cast<uint64_t>(e + 1023) << 52);
  };
  return x * power(half) * power(exponent - half);
}

double sin_polynomial(double r) {  // |r| <= pi/4, Taylor to r^17
  const double z = r * r;
  double p = 1.0 / 355687428096000.0;
  p = p * z - 1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  p = p * z - 1.0 / 6.0;
  return r + r * z * p;
}

double cos_polynomial(double r) {  // Taylor to r^18
  const double z = r * r;
  double p = -1.0 / 6402373705728000.0;
  p = p * z + 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  p = p * z - 0.5;
  return 1.0 + z * p;
}

// sin(x + quadrant·pi/2)
double sine(double x, int64_t quadrant) {
  const double k = std::floor(x * 0.63661977236758134308 + 0.5);
  const double r = ((x - k * kHalfPi1) - k * kHalfPi2) - k * kHalfPi3;
  const auto turn = (static_cast<int64_t>(k) + quadrant) & 3;
  const double value = (turn & 1) ? cos_polynomial(r) : sin_polynomial(r);
  return turn >= 2 ? -value : value;
}

}  // namespace

double exact_exp(double x) {
  if (x != x) return x;
  if (x > 709.7) return std::numeric_limits<double>::infinity();
  if (x < -745.0) return 0.0;
  const double k = std::floor(x * 1.44269504088896338700 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double p = 1.0;  // Taylor by Horner to r^14: |r| <= 0.347, the rest is below 1e-18
  for (int n = 14; n >= 1; --n) p = p * r / n + 1.0;
  return scale_by_power_of_two(p, static_cast<int64_t>(k));
}

double exact_log(double x) {
  if (!(x > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == std::numeric_limits<double>::infinity()) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact; m in [0.5, 1)
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  // log m = 2·atanh((m-1)/(m+1)), |s| <= 0.172
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double p = 0.0;
  for (int n = 23; n >= 3; n -= 2) p = p * z + 1.0 / n;
  const double tail = 2.0 * s * z * p;
  return exponent * kLn2High + (2.0 * s + (tail + exponent * kLn2Low));
}

double exact_pow(double x, double y) { return exact_exp(y * exact_log(x)); }

double exact_sin(double x) { return sine(x, 0); }
double exact_cos(double x) { return sine(x, 1); }

}  // namespace keju
