// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

// The distributions that tests and intervals rest on. Pure functions; safe on all threads.
namespace keju {

// Φ(x), and its inverse for 0 < p < 1, both to about 1e-15.
double normal_cdf(double x);
double normal_quantile(double p);

// I_x(a, b), the regularised incomplete beta function; a, b > 0, 0 <= x <= 1. Relative error about
// 1e-13. Source: Lentz's continued fraction, DLMF 8.17.22.
double incomplete_beta(double a, double b, double x);

// Student's t with df > 0 degrees of freedom, which need not be whole; infinity means the normal.
double student_cdf(double t, double df);
double student_quantile(double p, double df);

// P[X <= k] of Binomial(n, p).
double binomial_cdf(int64_t k, int64_t n, double p);
// P[X = k] of Binomial(n, p).
double binomial_pmf(int64_t k, int64_t n, double p);

}  // namespace keju
