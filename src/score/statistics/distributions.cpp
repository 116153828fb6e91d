// SPDX-License-Identifier: MIT
#include "score/statistics/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace keju {
namespace {

constexpr double kTiny = 1e-300;

// The continued fraction of I_x(a, b), which converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  if (std::abs(d) < kTiny) d = kTiny;
  d = 1 / d;
  double value = d;
  for (int m = 1; m < 100000; ++m) {
    const auto step = [&](double numerator) {
      d = 1 + numerator * d;
      if (std::abs(d) < kTiny) d = kTiny;
      c = 1 + numerator / c;
      if (std::abs(c) < kTiny) c = kTiny;
      d = 1 / d;
      value *= c * d;
      return c * d;
    };
    step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    const double factor = step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::abs(factor - 1) < 1e-16) break;
  }
  return value;
}

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);  // std::lgamma writes a global
}

// The smallest x in [low, high] at which the rising `f` reaches p, to the last bit.
template <typename Function>
double bisect(Function f, double p, double low, double high) {
  for (int i = 0; i < 200; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (f(middle) < p ? low : high) = middle;
  }
  return high;
}

}  // namespace

double normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

double normal_quantile(double p) {
  KEJU_CHECK(p > 0 && p < 1, "a quantile needs 0 < p < 1");
  if (p > 0.5) return -normal_quantile(1 - p);  // the lower tail keeps its digits
  return bisect(normal_cdf, p, -40, 0);
}

double incomplete_beta(double a, double b, double x) {
  KEJU_CHECK(a > 0 && b > 0, "the incomplete beta function needs a, b > 0");
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) +
                                b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_cdf(double t, double df) {
  KEJU_CHECK(df > 0, "Student's t needs df > 0");
  if (std::isinf(df)) return normal_cdf(t);
  const double tail = incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2;
  return t < 0 ? tail : 1 - tail;
}

double student_quantile(double p, double df) {
  KEJU_CHECK(p > 0 && p < 1, "a quantile needs 0 < p < 1");
  if (std::isinf(df)) return normal_quantile(p);
  if (p > 0.5) return -student_quantile(1 - p, df);
  double low = -2;
  while (student_cdf(low, df) > p) low *= 2;
  return bisect([&](double t) { return student_cdf(t, df); }, p, low, 0);
}

double binomial_pmf(int64_t k, int64_t n, double p) {
  if (k < 0 || k > n) return 0;
  if (p <= 0) return k == 0 ? 1 : 0;
  if (p >= 1) return k == n ? 1 : 0;
  const auto kd = static_cast<double>(k), nd = static_cast<double>(n);
  return std::exp(log_gamma(nd + 1) - log_gamma(kd + 1) - log_gamma(nd - kd + 1) +
                  kd * std::log(p) + (nd - kd) * std::log1p(-p));
}

double binomial_cdf(int64_t k, int64_t n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return incomplete_beta(static_cast<double>(n - k), static_cast<double>(k + 1), 1 - p);
}

}  // namespace keju
