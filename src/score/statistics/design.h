// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "score/statistics.h"

namespace keju {

// How observations hang together. `strata`: groups that are fixed, not drawn (subjects);
// `clusters`: groups that are drawn as a whole (questions on one passage, duplicates, permutations
// of one item), which may reach over strata. One label per observation; an empty span means one
// stratum, or that each observation is its own cluster.
struct Design {
  std::span<const int64_t> strata = {};
  std::span<const int64_t> clusters = {};
  enum class Weights {
    kItems,   // every observation alike: micro
    kStrata,  // every stratum alike: macro
  } weights = Weights::kItems;
};

// A design worked out once for a number of observations, for those who ask about many rows of
// values under it. Labels are numbered in order of appearance.
class DesignLayout {
 public:
  DesignLayout(size_t count, const Design& design);

  struct Stratum {
    int64_t count = 0, clusters = 0;
    double weight = 0;  // in the mean; weights sum to 1
  };
  size_t count() const { return stratum.size(); }
  // Of each observation in the mean; they sum to 1.
  double weight(size_t i) const {
    return strata[stratum[i]].weight / static_cast<double>(strata[stratum[i]].count);
  }

  std::vector<size_t> stratum, cluster;  // of each observation
  std::vector<Stratum> strata;
  size_t clusters = 0;
};

struct DesignMean {
  double value = 0;
  double se = 0;
  double df = 0;             // of Student's t: clusters - strata, at least 1
  Interval interval;         // 95 %, value ± t·se
  double design_effect = 1;  // variance over that of the same observations taken as independent
  int64_t count = 0, clusters = 0, strata = 0;
};

// Mean with a standard error that is robust to clusters and takes strata as fixed:
//   Var = Σ_c (Σ_{i in c} w_i·(x_i - mean of i's stratum)·sqrt(C_k / (C_k - 1)))²
// with C_k clusters in stratum k. With one stratum it is the C/(C - 1)·Σ_c(…)²/n² of inspect_ai's
// std.py, with clusters of one the textbook stratified error. A stratum of a single cluster shows
// no variance of its own and takes the variance of one observation pooled over the others.
// Nothing for fewer than two observations or fewer than two clusters.
// Source: Liang & Zeger 1986; Cochran 1977, ch. 5; Miller 2024 (arXiv:2411.00640).
std::optional<DesignMean> design_mean(std::span<const double> values, const DesignLayout& layout);
// The same without the interval, whose quantile costs more than all the rest.
std::optional<DesignMean> design_moments(std::span<const double> values,
                                         const DesignLayout& layout);
std::optional<DesignMean> design_mean(std::span<const double> values, const Design& design = {});

// The weight of each observation in that mean; they sum to 1.
std::vector<double> design_weights(size_t count, const Design& design);

}  // namespace keju
