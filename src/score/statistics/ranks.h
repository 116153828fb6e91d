// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "score/statistics/bootstrap.h"
#include "score/statistics/design.h"

// How sure an order of models is. `scores[m][i]`: model m on item i, the same items for all, the
// more the better.
namespace keju {

struct PairTest {
  double difference = 0;  // second - first
  double variance = 0;    // of it
  double freedom = 0;     // of Student's t
  double p = 1;           // two-sided, of no difference
};

// Models on one paper, or on several: all that ranks and ties follow from.
struct Contest {
  std::vector<double> means;                    // by model
  std::vector<std::vector<double>> replicates;  // by model; items drawn for all models together
  std::vector<PairTest> pairs;                  // (0, 1), (0, 2), …, (1, 2), …
};

// Resamples the items for all models together, so that what is hard for all moves none of them.
Contest contest(std::span<const std::vector<double>> scores,
                const Design& design,
                const BootstrapOptions& options);

// The weighted sum of contests of the same models on different papers, which are drawn apart (give
// each its own seed). One alone keeps its tests; of several, pairs are tested by Student's t with
// Satterthwaite's degrees of freedom.
Contest combined(std::span<const Contest* const> papers, std::span<const double> weights);

// The contest among some of its models, in that order.
Contest among(const Contest& all, std::span<const size_t> models);

struct RankInterval {
  int64_t rank = 1;           // by the mean over all items; 1 + number of models that are better
  int64_t low = 1, high = 1;  // 95 % of the replicates lie in [low, high]
};
std::vector<RankInterval> rank_intervals(const Contest& contest);
std::vector<RankInterval> rank_intervals(std::span<const std::vector<double>> scores,
                                         const Design& design,
                                         const BootstrapOptions& options);

// The group of each model: models are in one group if a chain of pairs links them, none of which is
// told apart at `alpha` by paired tests after Holm's correction over all pairs. Groups are numbered
// from 1 in the order of their best mean.
std::vector<int64_t> tie_groups(const Contest& contest, double alpha = 0.05);
std::vector<int64_t> tie_groups(std::span<const std::vector<double>> scores,
                                const Design& design,
                                double alpha = 0.05);

}  // namespace keju
