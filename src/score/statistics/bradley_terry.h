// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "score/statistics/bootstrap.h"

// Strengths from pairwise votes.
namespace keju {

struct Vote {
  int64_t first = 0, second = 0;  // models, from 0
  double share = 1;               // of the first one's win: 1, 0, or 1/2 for a tie
  int64_t prompt = 0;             // votes on one prompt are resampled together
};

struct Strength {
  double value = 0;   // log-odds against an average model; strengths sum to 0
  double se = 0;      // from the observed information
  Interval interval;  // 95 %, bootstrap over prompts, widened to value ± z·se where that is wider
};

// Maximum likelihood of P[first wins] = 1 / (1 + exp(s_second - s_first)), by Newton's method. A
// tie is half a win for each. Nothing, and `why`, where no finite maximum exists: some models never
// lose to, or never meet, the others (Ford 1957). Replicates without one are left out; of
// intervals, `options.replicates` 0 gives value ± z·se alone.
std::optional<std::vector<Strength>> bradley_terry(int64_t models,
                                                   std::span<const Vote> votes,
                                                   const BootstrapOptions& options,
                                                   std::string& why);

// Elo's scale: 1000 + 400·s / ln 10.
double elo(double strength);

}  // namespace keju
