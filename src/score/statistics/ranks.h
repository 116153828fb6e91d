// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "score/statistics/bootstrap.h"
#include "score/statistics/design.h"

// How sure an order of models is. `scores[m][i]`: model m on item i, the same items for all.
namespace keju {

struct RankInterval {
  int64_t rank = 1;           // by the mean over all items; 1 + number of models that are better
  int64_t low = 1, high = 1;  // 95 % of the replicates lie in [low, high]
};

// Resamples the items for all models together, so that what is hard for all moves none of them.
std::vector<RankInterval> rank_intervals(std::span<const std::vector<double>> scores,
                                         const Design& design,
                                         const BootstrapOptions& options);

// The group of each model: models are in one group if a chain of pairs links them, none of which is
// told apart at `alpha` by paired tests after Holm's correction over all pairs. Groups are numbered
// from 1 in the order of their best mean.
std::vector<int64_t> tie_groups(std::span<const std::vector<double>> scores,
                                const Design& design,
                                double alpha = 0.05);

}  // namespace keju
