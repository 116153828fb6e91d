// SPDX-License-Identifier: MIT
#include "score/agreement.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"

namespace keju {

std::optional<double> kappa(std::span<const int> a,
                            std::span<const int> b,
                            int classes,
                            bool quadratic) {
  KEJU_CHECK(a.size() == b.size() && classes > 0, "kappa of lists that differ in length");
  if (a.empty()) return std::nullopt;
  const auto k = static_cast<size_t>(classes);
  const double n = static_cast<double>(a.size());
  std::vector<double> of_a(k), of_b(k);
  double observed = 0;
  const auto weight = [&](size_t i, size_t j) {
    const double distance = static_cast<double>(i) - static_cast<double>(j);
    return quadratic ? distance * distance : (i == j ? 0.0 : 1.0);
  };
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<size_t>(a[i]), y = static_cast<size_t>(b[i]);
    KEJU_CHECK(x < k && y < k, "kappa of a class out of range");
    of_a[x] += 1 / n;
    of_b[y] += 1 / n;
    observed += weight(x, y) / n;
  }
  double expected = 0;
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < k; ++j) expected += weight(i, j) * of_a[i] * of_b[j];
  }
  if (!(expected > 0)) return std::nullopt;
  return 1 - observed / expected;
}

std::optional<MeanEstimate> corrected_rate(double judged_rate,
                                           int64_t count,
                                           const Confusion& slice) {
  const auto yes = static_cast<double>(slice.yes_yes + slice.yes_no);
  const auto no = static_cast<double>(slice.no_yes + slice.no_no);
  if (count < 1 || yes < 1 || no < 1) return std::nullopt;
  const double se = static_cast<double>(slice.yes_yes) / yes;
  const double sp = static_cast<double>(slice.no_no) / no;
  const double scale = se + sp - 1;
  if (!(scale > 0)) return std::nullopt;
  const double p = std::clamp((judged_rate + sp - 1) / scale, 0.0, 1.0);
  const double variance = (judged_rate * (1 - judged_rate) / static_cast<double>(count) +
                           p * p * se * (1 - se) / yes + (1 - p) * (1 - p) * sp * (1 - sp) / no) /
                          (scale * scale);
  MeanEstimate out;
  out.value = p;
  out.count = count;
  out.stderr_ = std::sqrt(variance);
  out.interval =
      Interval{std::max(0.0, p - kZ95 * *out.stderr_), std::min(1.0, p + kZ95 * *out.stderr_)};
  return out;
}

}  // namespace keju
