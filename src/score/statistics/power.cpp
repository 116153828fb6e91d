// SPDX-License-Identifier: MIT
#include "score/statistics/power.h"

#include <cmath>

#include "base/error.h"
#include "score/statistics/distributions.h"
#include "score/statistics/paired.h"

namespace keju {
namespace {

double critical(const PowerQuestion& q) {
  return student_quantile(q.two_sided ? 1 - q.alpha / 2 : 1 - q.alpha, q.df);
}

void check(const PowerQuestion& q) {
  KEJU_CHECK(q.count > 0 && q.discordance > 0 && q.discordance <= 1,
             "power needs items that differ");
  KEJU_CHECK(q.alpha > 0 && q.alpha < 1 && q.power > 0 && q.power < 1,
             "alpha and power lie in (0, 1)");
}

}  // namespace

double minimum_detectable_normal(const PowerQuestion& q) {
  check(q);
  return (critical(q) + normal_quantile(q.power)) * std::sqrt(q.discordance / q.count);
}

double equivalence_power(const PowerQuestion& q, double margin) {
  check(q);
  // Two equals show b = c on average; the statistic against -margin is then at `seen` and has the
  // spread of b - c over the spread that the test reckons with.
  const double half = q.count * q.discordance / 2;
  const double seen = paired_score_statistic(half, half, q.count, -margin);
  const double reckoned = q.count * margin / seen;
  const double spread = std::sqrt(q.count * q.discordance);
  return normal_cdf((q.count * margin - critical(q) * reckoned) / spread);
}

double minimum_detectable(const PowerQuestion& q) {
  check(q);
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (equivalence_power(q, middle) < q.power ? low : high) = middle;
  }
  return high;
}

}  // namespace keju
