// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "score/statistics.h"
#include "score/statistics/design.h"

// Resampling whose draws are a pure function of (seed, replicate, draw), so that any replicate can
// be had by itself, on any thread, with the same bits.
namespace keju {

struct BootstrapOptions {
  int64_t replicates = 2000;
  uint64_t seed = 1;
};

// Draws clusters with replacement inside each stratum and hands `visit` how often each observation
// was drawn, once per replicate. A cluster belongs to the stratum of its first member.
void resample(size_t count,
              const Design& design,
              const BootstrapOptions& options,
              const std::function<void(int64_t replicate, std::span<const int32_t> times)>& visit);

// The design's mean of each replicate. Under kStrata every stratum's mean weighs alike.
// Jointly: every replicate draws the same items for all rows of `scores`.
std::vector<std::vector<double>> joint_bootstrap_means(std::span<const std::vector<double>> scores,
                                                       const Design& design,
                                                       const BootstrapOptions& options);
std::vector<double> bootstrap_means(std::span<const double> values,
                                    const Design& design,
                                    const BootstrapOptions& options);

// Standard deviation of the replicates: the standard error, not divided by the root of their
// number.
double bootstrap_error(std::span<const double> replicates);

// The middle `coverage` of the replicates (percentile interval), by linear interpolation.
Interval percentile_interval(std::vector<double> replicates, double coverage = 0.95);

}  // namespace keju
