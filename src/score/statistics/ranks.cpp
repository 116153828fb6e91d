// SPDX-License-Identifier: MIT
#include "score/statistics/ranks.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "score/statistics/multiplicity.h"
#include "score/statistics/paired.h"

namespace keju {
namespace {

std::vector<int64_t> ranks_of(const std::vector<double>& means) {
  std::vector<int64_t> out;
  for (const double own : means) {
    out.push_back(1 + std::count_if(means.begin(), means.end(), [&](double m) { return m > own; }));
  }
  return out;
}

// The smallest rank that at least `share` of the counted replicates reach or undercut.
int64_t rank_at(const std::vector<int64_t>& counts, double share, int64_t replicates) {
  const auto need =
      std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(replicates) + 0.5));
  int64_t seen = 0;
  for (size_t rank = 1; rank < counts.size(); ++rank) {
    seen += counts[rank];
    if (seen >= need) return static_cast<int64_t>(rank);
  }
  return static_cast<int64_t>(counts.size()) - 1;
}

std::vector<double> weighted_means(std::span<const std::vector<double>> scores,
                                   const std::vector<double>& weights) {
  std::vector<double> out;
  for (const auto& row : scores) {
    KEJU_CHECK(row.size() == weights.size(), "every model answers every item");
    out.push_back(std::inner_product(row.begin(), row.end(), weights.begin(), 0.0));
  }
  return out;
}

size_t root(std::vector<size_t>& parent, size_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

}  // namespace

std::vector<RankInterval> rank_intervals(std::span<const std::vector<double>> scores,
                                         const Design& design,
                                         const BootstrapOptions& options) {
  const size_t models = scores.size();
  if (models == 0) return {};
  std::vector<std::vector<double>> replicates;  // by model; draws depend on the seed alone
  for (const auto& row : scores) {
    KEJU_CHECK(row.size() == scores[0].size(), "every model answers every item");
    replicates.push_back(bootstrap_means(row, design, options));
  }
  std::vector<std::vector<int64_t>> counts(models, std::vector<int64_t>(models + 1, 0));
  std::vector<double> means(models);
  for (size_t r = 0; r < static_cast<size_t>(options.replicates); ++r) {
    for (size_t m = 0; m < models; ++m) means[m] = replicates[m][r];
    const auto ranks = ranks_of(means);
    for (size_t m = 0; m < models; ++m) ++counts[m][static_cast<size_t>(ranks[m])];
  }
  const auto seen = ranks_of(weighted_means(scores, design_weights(scores[0].size(), design)));
  std::vector<RankInterval> out(models);
  for (size_t m = 0; m < models; ++m) {
    out[m] = {seen[m],
              rank_at(counts[m], 0.025, options.replicates),
              rank_at(counts[m], 0.975, options.replicates)};
  }
  return out;
}

std::vector<int64_t> tie_groups(std::span<const std::vector<double>> scores,
                                const Design& design,
                                double alpha) {
  const size_t models = scores.size();
  if (models == 0) return {};
  std::vector<double> p;
  for (size_t a = 0; a < models; ++a) {
    for (size_t b = a + 1; b < models; ++b) {
      const auto pair = paired_difference(scores[a], scores[b], design);
      p.push_back(pair ? pair->p : 1);
    }
  }
  const std::vector<double> adjusted = holm(p);
  std::vector<size_t> parent(models);
  std::iota(parent.begin(), parent.end(), size_t{0});
  size_t at = 0;
  for (size_t a = 0; a < models; ++a) {
    for (size_t b = a + 1; b < models; ++b) {
      if (adjusted[at++] >= alpha) parent[root(parent, b)] = root(parent, a);
    }
  }
  const auto means = weighted_means(scores, design_weights(scores[0].size(), design));
  std::vector<size_t> order(models);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](size_t a, size_t b) { return means[a] > means[b]; });
  std::vector<int64_t> number(models, 0), out(models);
  int64_t next = 0;
  for (const size_t m : order) {
    int64_t& group = number[root(parent, m)];
    if (group == 0) group = ++next;
    out[m] = group;
  }
  return out;
}

}  // namespace keju
