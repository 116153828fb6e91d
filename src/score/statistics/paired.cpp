// SPDX-License-Identifier: MIT
#include "score/statistics/paired.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "score/statistics/distributions.h"

namespace keju {
namespace {

PairedCounts count_pairs(std::span<const double> first, std::span<const double> second) {
  PairedCounts out;
  for (size_t i = 0; i < first.size(); ++i) {
    const bool a = first[i] > 0.5, b = second[i] > 0.5;
    int64_t& cell = a && b ? out.both : a ? out.first_only : b ? out.second_only : out.neither;
    ++cell;
  }
  return out;
}

bool all_binary(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return x == 0 || x == 1; });
}

// Where a falling statistic crosses `target`.
template <typename Statistic>
double crossing(Statistic statistic, double target) {
  double low = -1, high = 1;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    (statistic(middle) > target ? low : high) = middle;
  }
  return (low + high) / 2;
}

// Both ends at the same critical value.
Interval ends(const PairedDifference& d, double critical) {
  if (!d.by_score) {
    const double reach = critical * d.mean.se;
    return {d.mean.value - reach, d.mean.value + reach};
  }
  // Clusters that happen to disagree within are no reason to claim more than independence gives.
  const double deff = std::max(1.0, d.mean.design_effect);
  const auto b = static_cast<double>(d.counts.second_only) / deff;
  const auto c = static_cast<double>(d.counts.first_only) / deff;
  return paired_score_interval(b, c, static_cast<double>(d.counts.count()) / deff, critical);
}

double critical_value(const PairedDifference& d, double alpha) {
  return d.clustered || !d.by_score ? student_quantile(1 - alpha, d.mean.df)
                                    : normal_quantile(1 - alpha);
}

}  // namespace

double mcnemar_exact(int64_t first_only, int64_t second_only) {
  const int64_t n = first_only + second_only;
  return std::min(1.0, 2 * binomial_cdf(std::min(first_only, second_only), n, 0.5));
}

double mcnemar_mid_p(int64_t first_only, int64_t second_only) {
  const int64_t n = first_only + second_only, least = std::min(first_only, second_only);
  if (n == 0) return 1;
  return std::min(1.0, 2 * binomial_cdf(least, n, 0.5) - binomial_pmf(least, n, 0.5));
}

double paired_score_statistic(double first_only,
                              double second_only,
                              double count,
                              double difference) {
  const double b = first_only, c = second_only, n = count, d = difference;
  // Restricted maximum-likelihood share of "second only": the root of A·x² + B·x + C.
  const double qa = 2 * n, qb = -b - c + (2 * n - b + c) * d, qc = -c * d * (1 - d);
  const double root = (std::sqrt(std::max(0.0, qb * qb - 4 * qa * qc)) - qb) / (2 * qa);
  const double variance = n * (2 * std::max(root, -std::min(d, 0.0)) + d * (1 - d));
  const double distance = b - c - n * d;
  if (distance == 0) return 0;
  if (variance <= 0) return std::copysign(INFINITY, distance);
  return distance / std::sqrt(variance);
}

Interval paired_score_interval(double first_only, double second_only, double count, double z) {
  KEJU_CHECK(count > 0 && z >= 0, "an interval needs observations");
  const auto statistic = [&](double d) {
    return paired_score_statistic(first_only, second_only, count, d);
  };
  return {crossing(statistic, z), crossing(statistic, -z)};
}

double PairedDifference::lower(double alpha) const {
  return ends(*this, critical_value(*this, alpha)).low;
}

double PairedDifference::upper(double alpha) const {
  return ends(*this, critical_value(*this, alpha)).high;
}

namespace {

// What a test of no difference needs: mcnemar_mid_p where answers are right or wrong, unclustered
// and weigh alike; Student's t elsewhere.
struct Sides {
  PairedCounts counts;
  bool binary = false, micro = false, clustered = false;
  bool mcnemar() const { return binary && micro && !clustered; }

  double p(const DesignMean& mean) const {
    if (mcnemar()) return mcnemar_mid_p(counts.first_only, counts.second_only);
    if (mean.se > 0) return 2 * student_cdf(-std::abs(mean.value) / mean.se, mean.df);
    return mean.value == 0 ? 1 : 0;
  }
};

Sides sides_of(std::span<const double> first,
               std::span<const double> second,
               const DesignMean& mean,
               Design::Weights weights) {
  return {count_pairs(first, second),
          all_binary(first) && all_binary(second),
          weights == Design::Weights::kItems,
          mean.clusters < mean.count};
}

std::optional<DesignMean> mean_difference(std::span<const double> first,
                                          std::span<const double> second,
                                          const DesignLayout& layout) {
  KEJU_CHECK(first.size() == second.size(), "a pair needs both sides");
  std::vector<double> differences(first.size());
  for (size_t i = 0; i < first.size(); ++i) differences[i] = second[i] - first[i];
  return design_moments(differences, layout);
}

}  // namespace

std::optional<PairedTest> paired_test(std::span<const double> first,
                                      std::span<const double> second,
                                      const DesignLayout& layout,
                                      Design::Weights weights) {
  const auto mean = mean_difference(first, second, layout);
  if (!mean) return std::nullopt;
  return PairedTest{*mean, sides_of(first, second, *mean, weights).p(*mean)};
}

std::optional<PairedDifference> paired_difference(std::span<const double> first,
                                                  std::span<const double> second,
                                                  const Design& design) {
  const auto mean = mean_difference(first, second, DesignLayout(first.size(), design));
  if (!mean) return std::nullopt;
  const Sides sides = sides_of(first, second, *mean, design.weights);
  PairedDifference out;
  out.mean = *mean;
  const double reach = student_quantile(0.975, mean->df) * mean->se;
  out.mean.interval = {mean->value - reach, mean->value + reach};
  out.counts = sides.counts;
  out.clustered = sides.clustered;
  out.by_score = sides.binary && (sides.micro || out.counts.discordant() == 0);
  out.interval = ends(out, critical_value(out, 0.025));
  out.method = sides.mcnemar() ? "mcnemar-mid-p" : "cluster-t";
  out.p = sides.p(out.mean);
  return out;
}

}  // namespace keju
