// SPDX-License-Identifier: MIT
#include "score/statistics/design.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "score/statistics/distributions.h"

namespace keju {
namespace {

struct Stratum {
  double sum = 0, squares = 0, weight = 0;  // weight of the stratum in the mean
  int64_t count = 0, clusters = 0;
  double mean() const { return sum / static_cast<double>(count); }
};

// Labels as indices 0, 1, … in order of appearance; `count` zeros for no labels if `one`, else
// each its own.
std::vector<size_t> indices(std::span<const int64_t> labels, size_t count, bool one) {
  KEJU_CHECK(labels.empty() || labels.size() == count, "one label per observation");
  std::vector<size_t> out(count, 0);
  std::unordered_map<int64_t, size_t> known;
  for (size_t i = 0; i < count; ++i) {
    if (!labels.empty()) out[i] = known.emplace(labels[i], known.size()).first->second;
    if (labels.empty() && !one) out[i] = i;
  }
  return out;
}

size_t groups(const std::vector<size_t>& index) {
  return index.empty() ? 0 : *std::max_element(index.begin(), index.end()) + 1;
}

struct Layout {
  std::vector<size_t> stratum, cluster;
  std::vector<Stratum> strata;
  size_t clusters = 0;
};

Layout lay_out(std::span<const double> values, const Design& design) {
  const size_t n = values.size();
  Layout out;
  out.stratum = indices(design.strata, n, true);
  out.cluster = indices(design.clusters, n, false);
  out.clusters = groups(out.cluster);
  out.strata.resize(groups(out.stratum));
  std::unordered_set<size_t> seen;  // (stratum, cluster) pairs
  for (size_t i = 0; i < n; ++i) {
    Stratum& stratum = out.strata[out.stratum[i]];
    stratum.sum += values[i];
    ++stratum.count;
    if (seen.insert(out.stratum[i] * out.clusters + out.cluster[i]).second) ++stratum.clusters;
  }
  const bool alike = design.weights == Design::Weights::kStrata;
  for (Stratum& stratum : out.strata) {
    stratum.weight = alike ? 1 / static_cast<double>(out.strata.size())
                           : static_cast<double>(stratum.count) / static_cast<double>(n);
  }
  for (size_t i = 0; i < n; ++i) {
    Stratum& stratum = out.strata[out.stratum[i]];
    stratum.squares += std::pow(values[i] - stratum.mean(), 2);
  }
  return out;
}

// Variance from the spread of cluster totals, of those strata that have two clusters or more.
double cluster_variance(std::span<const double> values, const Layout& layout) {
  std::vector<double> totals(layout.clusters, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const Stratum& stratum = layout.strata[layout.stratum[i]];
    if (stratum.clusters < 2) continue;
    const auto c = static_cast<double>(stratum.clusters);
    const double w = stratum.weight / static_cast<double>(stratum.count);
    totals[layout.cluster[i]] += w * (values[i] - stratum.mean()) * std::sqrt(c / (c - 1));
  }
  double variance = 0;
  for (const double total : totals) variance += total * total;
  return variance;
}

// Variance of the mean if all observations were independent.
double plain_variance(const Layout& layout, bool lone_clusters_only, double pooled) {
  double variance = 0;
  for (const Stratum& stratum : layout.strata) {
    const auto n = static_cast<double>(stratum.count);
    if (lone_clusters_only && stratum.clusters > 1) continue;
    const bool own = stratum.count > 1 && !lone_clusters_only;
    const double one = own ? stratum.squares / (n - 1) : pooled;
    // A lone cluster counts as one observation: how far its members move together is unknown.
    const double size = lone_clusters_only ? 1 : n;
    variance += stratum.weight * stratum.weight * one / size;
  }
  return variance;
}

}  // namespace

std::vector<double> design_weights(size_t count, const Design& design) {
  const std::vector<double> zeros(count, 0);
  const Layout layout = lay_out(zeros, design);
  std::vector<double> weights(count);
  for (size_t i = 0; i < count; ++i) {
    const Stratum& stratum = layout.strata[layout.stratum[i]];
    weights[i] = stratum.weight / static_cast<double>(stratum.count);
  }
  return weights;
}

std::optional<DesignMean> design_mean(std::span<const double> values, const Design& design) {
  if (values.size() < 2) return std::nullopt;
  const Layout layout = lay_out(values, design);
  if (layout.clusters < 2) return std::nullopt;
  double squares = 0, freedom = 0;
  DesignMean out;
  for (const Stratum& stratum : layout.strata) {
    out.value += stratum.weight * stratum.mean();
    if (stratum.count < 2) continue;
    squares += stratum.squares;
    freedom += static_cast<double>(stratum.count) - 1;
  }
  // Where no stratum shows any spread, that between strata is all there is to go by.
  double pooled = 0;
  if (freedom > 0) {
    pooled = squares / freedom;
  } else {
    for (const double x : values) pooled += std::pow(x - out.value, 2);
    pooled /= static_cast<double>(values.size() - 1);
  }
  const double variance = cluster_variance(values, layout) + plain_variance(layout, true, pooled);
  const double plain = plain_variance(layout, false, pooled);
  out.se = std::sqrt(variance);
  out.design_effect = plain > 0 ? variance / plain : 1;
  out.count = static_cast<int64_t>(values.size());
  out.clusters = static_cast<int64_t>(layout.clusters);
  out.strata = static_cast<int64_t>(layout.strata.size());
  out.df = std::max<double>(1, static_cast<double>(out.clusters - out.strata));
  const double reach = student_quantile(0.975, out.df) * out.se;
  out.interval = {out.value - reach, out.value + reach};
  return out;
}

}  // namespace keju
