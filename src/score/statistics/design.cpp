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

// What the values show in each stratum.
struct Spread {
  double sum = 0, squares = 0, mean = 0;
};

std::vector<Spread> spreads(std::span<const double> values, const DesignLayout& layout) {
  std::vector<Spread> out(layout.strata.size());
  for (size_t i = 0; i < values.size(); ++i) out[layout.stratum[i]].sum += values[i];
  for (size_t k = 0; k < out.size(); ++k) {
    out[k].mean = out[k].sum / static_cast<double>(layout.strata[k].count);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const double off = values[i] - out[layout.stratum[i]].mean;
    out[layout.stratum[i]].squares += off * off;
  }
  return out;
}

// Variance from the spread of cluster totals, of those strata that have two clusters or more.
double cluster_variance(std::span<const double> values,
                        const DesignLayout& layout,
                        const std::vector<Spread>& spread) {
  std::vector<double> scale(layout.strata.size(), 0);
  for (size_t k = 0; k < scale.size(); ++k) {
    const DesignLayout::Stratum& stratum = layout.strata[k];
    if (stratum.clusters < 2) continue;
    const auto c = static_cast<double>(stratum.clusters);
    scale[k] = stratum.weight / static_cast<double>(stratum.count) * std::sqrt(c / (c - 1));
  }
  std::vector<double> totals(layout.clusters, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t k = layout.stratum[i];
    totals[layout.cluster[i]] += scale[k] * (values[i] - spread[k].mean);
  }
  double variance = 0;
  for (const double total : totals) variance += total * total;
  return variance;
}

// Variance of the mean if all observations were independent.
double plain_variance(const DesignLayout& layout,
                      const std::vector<Spread>& spread,
                      bool lone_clusters_only,
                      double pooled) {
  double variance = 0;
  for (size_t k = 0; k < layout.strata.size(); ++k) {
    const DesignLayout::Stratum& stratum = layout.strata[k];
    const auto n = static_cast<double>(stratum.count);
    if (lone_clusters_only && stratum.clusters > 1) continue;
    const bool own = stratum.count > 1 && !lone_clusters_only;
    const double one = own ? spread[k].squares / (n - 1) : pooled;
    // A lone cluster counts as one observation: how far its members move together is unknown.
    const double size = lone_clusters_only ? 1 : n;
    variance += stratum.weight * stratum.weight * one / size;
  }
  return variance;
}

}  // namespace

DesignLayout::DesignLayout(size_t count, const Design& design)
    : stratum(indices(design.strata, count, true)),
      cluster(indices(design.clusters, count, false)),
      strata(groups(stratum)),
      clusters(groups(cluster)) {
  std::unordered_set<size_t> seen;  // (stratum, cluster) pairs
  for (size_t i = 0; i < count; ++i) {
    Stratum& own = strata[stratum[i]];
    ++own.count;
    if (seen.insert(stratum[i] * clusters + cluster[i]).second) ++own.clusters;
  }
  const bool alike = design.weights == Design::Weights::kStrata;
  for (Stratum& own : strata) {
    own.weight = alike ? 1 / static_cast<double>(strata.size())
                       : static_cast<double>(own.count) / static_cast<double>(count);
  }
}

std::vector<double> design_weights(size_t count, const Design& design) {
  const DesignLayout layout(count, design);
  std::vector<double> weights(count);
  for (size_t i = 0; i < count; ++i) weights[i] = layout.weight(i);
  return weights;
}

std::optional<DesignMean> design_mean(std::span<const double> values, const Design& design) {
  return design_mean(values, DesignLayout(values.size(), design));
}

std::optional<DesignMean> design_moments(std::span<const double> values,
                                         const DesignLayout& layout) {
  KEJU_CHECK(values.size() == layout.count(), "one value per observation");
  if (values.size() < 2 || layout.clusters < 2) return std::nullopt;
  const std::vector<Spread> spread = spreads(values, layout);
  double squares = 0, freedom = 0;
  DesignMean out;
  for (size_t k = 0; k < spread.size(); ++k) {
    out.value += layout.strata[k].weight * spread[k].mean;
    if (layout.strata[k].count < 2) continue;
    squares += spread[k].squares;
    freedom += static_cast<double>(layout.strata[k].count) - 1;
  }
  // Where no stratum shows any spread, that between strata is all there is to go by.
  double pooled = 0;
  if (freedom > 0) {
    pooled = squares / freedom;
  } else {
    for (const double x : values) pooled += std::pow(x - out.value, 2);
    pooled /= static_cast<double>(values.size() - 1);
  }
  const double variance =
      cluster_variance(values, layout, spread) + plain_variance(layout, spread, true, pooled);
  const double plain = plain_variance(layout, spread, false, pooled);
  out.se = std::sqrt(variance);
  out.design_effect = plain > 0 ? variance / plain : 1;
  out.count = static_cast<int64_t>(values.size());
  out.clusters = static_cast<int64_t>(layout.clusters);
  out.strata = static_cast<int64_t>(layout.strata.size());
  out.df = std::max<double>(1, static_cast<double>(out.clusters - out.strata));
  return out;
}

std::optional<DesignMean> design_mean(std::span<const double> values, const DesignLayout& layout) {
  std::optional<DesignMean> out = design_moments(values, layout);
  if (!out) return out;
  const double reach = student_quantile(0.975, out->df) * out->se;
  out->interval = {out->value - reach, out->value + reach};
  return out;
}

}  // namespace keju
