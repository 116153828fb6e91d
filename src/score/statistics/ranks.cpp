// SPDX-License-Identifier: MIT
#include "score/statistics/ranks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "score/statistics/distributions.h"
#include "score/statistics/multiplicity.h"
#include "score/statistics/paired.h"

namespace keju {
namespace {

std::vector<int64_t> ranks_of(const std::vector<double>& means) {
  std::vector<double> falling = means;
  std::sort(falling.begin(), falling.end(), std::greater<>());
  std::vector<int64_t> out;
  for (const double own : means) {
    const auto better = std::lower_bound(falling.begin(), falling.end(), own, std::greater<>());
    out.push_back(1 + (better - falling.begin()));
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

size_t root(std::vector<size_t>& parent, size_t i) {
  while (parent[i] != i) i = parent[i] = parent[parent[i]];
  return i;
}

std::vector<PairTest> pair_tests(std::span<const std::vector<double>> scores,
                                 const DesignLayout& layout,
                                 Design::Weights weights) {
  std::vector<PairTest> out;
  for (size_t a = 0; a < scores.size(); ++a) {
    for (size_t b = a + 1; b < scores.size(); ++b) {
      const auto test = paired_test(scores[a], scores[b], layout, weights);
      out.push_back({});
      if (!test) continue;
      out.back() = {test->mean.value, test->mean.se * test->mean.se, test->mean.df, test->p};
    }
  }
  return out;
}

std::vector<double> weighted_means(std::span<const std::vector<double>> scores,
                                   const DesignLayout& layout) {
  std::vector<double> out(scores.size(), 0);
  for (size_t m = 0; m < scores.size(); ++m) {
    for (size_t i = 0; i < scores[m].size(); ++i) out[m] += layout.weight(i) * scores[m][i];
  }
  return out;
}

// Means, pairs and, with replicates, the rest.
Contest make_contest(std::span<const std::vector<double>> scores,
                     const Design& design,
                     const BootstrapOptions& options) {
  Contest out;
  if (scores.empty()) return out;
  for (const auto& row : scores) {
    KEJU_CHECK(row.size() == scores[0].size(), "every model answers every item");
  }
  const DesignLayout layout(scores[0].size(), design);
  out.means = weighted_means(scores, layout);
  out.replicates = joint_bootstrap_means(scores, design, options);
  out.pairs = pair_tests(scores, layout, design.weights);
  return out;
}

size_t pair_place(size_t a, size_t b, size_t models) {
  return a * models - a * (a + 1) / 2 + b - a - 1;
}

}  // namespace

Contest contest(std::span<const std::vector<double>> scores,
                const Design& design,
                const BootstrapOptions& options) {
  return make_contest(scores, design, options);
}

Contest combined(std::span<const Contest* const> papers, std::span<const double> weights) {
  KEJU_CHECK(!papers.empty() && papers.size() == weights.size(), "one weight per paper");
  const Contest& first = *papers[0];
  Contest out;
  out.means.assign(first.means.size(), 0);
  out.replicates.assign(
      first.replicates.size(),
      std::vector<double>(first.replicates.empty() ? 0 : first.replicates[0].size()));
  out.pairs.resize(first.pairs.size());
  std::vector<double> by_freedom(first.pairs.size(), 0);  // Σ v² / df
  for (size_t b = 0; b < papers.size(); ++b) {
    const Contest& paper = *papers[b];
    const double w = weights[b];
    KEJU_CHECK(paper.means.size() == out.means.size(), "the same models on every paper");
    for (size_t m = 0; m < out.means.size(); ++m) {
      out.means[m] += w * paper.means[m];
      for (size_t r = 0; r < out.replicates[m].size(); ++r) {
        out.replicates[m][r] += w * paper.replicates[m][r];
      }
    }
    for (size_t i = 0; i < out.pairs.size(); ++i) {
      const double v = w * w * paper.pairs[i].variance;
      out.pairs[i].difference += w * paper.pairs[i].difference;
      out.pairs[i].variance += v;
      if (paper.pairs[i].freedom > 0) by_freedom[i] += v * v / paper.pairs[i].freedom;
    }
  }
  for (size_t i = 0; i < out.pairs.size(); ++i) {
    PairTest& pair = out.pairs[i];
    if (papers.size() == 1) {
      pair.freedom = first.pairs[i].freedom;
      pair.p = first.pairs[i].p;
    } else if (pair.variance > 0 && by_freedom[i] > 0) {
      pair.freedom = std::max(1.0, pair.variance * pair.variance / by_freedom[i]);
      pair.p = 2 * student_cdf(-std::abs(pair.difference) / std::sqrt(pair.variance), pair.freedom);
    } else {
      pair.p = pair.difference == 0 ? 1 : 0;
    }
  }
  return out;
}

Contest among(const Contest& all, std::span<const size_t> models) {
  Contest out;
  for (size_t i = 0; i < models.size(); ++i) {
    out.means.push_back(all.means[models[i]]);
    out.replicates.push_back(all.replicates[models[i]]);
    for (size_t j = i + 1; j < models.size(); ++j) {
      const auto [a, b] = std::minmax(models[i], models[j]);
      PairTest pair = all.pairs[pair_place(a, b, all.means.size())];
      if (models[i] > models[j]) pair.difference = -pair.difference;
      out.pairs.push_back(pair);
    }
  }
  return out;
}

std::vector<RankInterval> rank_intervals(const Contest& contest) {
  const size_t models = contest.means.size();
  if (models == 0) return {};
  const size_t replicates = contest.replicates[0].size();
  std::vector<std::vector<int64_t>> counts(models, std::vector<int64_t>(models + 1, 0));
  std::vector<double> means(models);
  for (size_t r = 0; r < replicates; ++r) {
    for (size_t m = 0; m < models; ++m) means[m] = contest.replicates[m][r];
    const auto ranks = ranks_of(means);
    for (size_t m = 0; m < models; ++m) ++counts[m][static_cast<size_t>(ranks[m])];
  }
  const auto seen = ranks_of(contest.means);
  const auto drawn = static_cast<int64_t>(replicates);
  std::vector<RankInterval> out(models);
  for (size_t m = 0; m < models; ++m) {
    out[m] = {seen[m], rank_at(counts[m], 0.025, drawn), rank_at(counts[m], 0.975, drawn)};
  }
  return out;
}

std::vector<RankInterval> rank_intervals(std::span<const std::vector<double>> scores,
                                         const Design& design,
                                         const BootstrapOptions& options) {
  return rank_intervals(make_contest(scores, design, options));
}

std::vector<int64_t> tie_groups(const Contest& contest, double alpha) {
  const size_t models = contest.means.size();
  std::vector<double> p;
  for (const PairTest& pair : contest.pairs) p.push_back(pair.p);
  const std::vector<double> adjusted = holm(p);
  std::vector<size_t> parent(models);
  std::iota(parent.begin(), parent.end(), size_t{0});
  size_t at = 0;
  for (size_t a = 0; a < models; ++a) {
    for (size_t b = a + 1; b < models; ++b) {
      if (adjusted[at++] >= alpha) parent[root(parent, b)] = root(parent, a);
    }
  }
  std::vector<size_t> order(models);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return contest.means[a] > contest.means[b];
  });
  std::vector<int64_t> number(models, 0), out(models);
  int64_t next = 0;
  for (const size_t m : order) {
    int64_t& group = number[root(parent, m)];
    if (group == 0) group = ++next;
    out[m] = group;
  }
  return out;
}

std::vector<int64_t> tie_groups(std::span<const std::vector<double>> scores,
                                const Design& design,
                                double alpha) {
  return tie_groups(make_contest(scores, design, {.replicates = 0}), alpha);
}

}  // namespace keju
