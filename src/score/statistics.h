// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace keju {

struct Interval {
  double low = 0, high = 0;
  bool holds(double value) const { return low <= value && value <= high; }
};

// A mean with what is known of its error.
struct MeanEstimate {
  double value = 0;
  std::optional<double> stderr_;     // absent where one observation or none leaves it unknown
  std::optional<Interval> interval;  // 95 %
  int64_t count = 0;
};

// Standard normal quantile of a two-sided 95 % interval.
inline constexpr double kZ95 = 1.959963984540054;

// Mean and standard error: sample standard deviation (n - 1) over the root of n, as
// lm-evaluation-harness reports it. The interval is mean ± z·se. Nothing for an empty list.
std::optional<MeanEstimate> mean(std::span<const double> values);

// Share of right answers with Wilson's score interval, which keeps its coverage near 0 and 1 where
// the normal one fails. The standard error is mean's. 0 <= right <= count. Nothing for count 0.
// Source: Wilson 1927; Brown, Cai & DasGupta 2001.
std::optional<MeanEstimate> proportion(int64_t right, int64_t count);

// Wilson's interval alone, for any z > 0.
Interval wilson(double share, double count, double z = kZ95);

// One group of a macro average: its mean, standard error and size.
struct Group {
  double mean = 0;
  std::optional<double> stderr_;
  int64_t count = 0;
};

// Unweighted mean over groups that are fixed, not drawn (strata): se = sqrt(Σ se_g²) / G. A group
// of one has no spread of its own and takes the pooled variance of the others. `bounded`: values
// lie in [0, 1], so the interval is Wilson's at the effective number of observations m(1 - m)/se²
// and never leaves that range. Nothing for no groups.
std::optional<MeanEstimate> macro_mean(std::span<const Group> groups, bool bounded);

// Size-weighted mean over groups, with lm-evaluation-harness's pooled standard error
//   sqrt(Σ (n_g - 1)·se_g²·n_g / (Σ n_g - G) / Σ n_g).
// Source: lm_eval/api/metrics.py, pooled_sample_stderr, 0.4.13. Groups need a standard error each.
std::optional<MeanEstimate> pooled_mean(std::span<const Group> groups);

// Σ w·v / Σ w, for bits per byte: a ratio of sums, with the delta method's standard error
//   sqrt(n / (n - 1) · Σ (w_i·(v_i - r))²) / Σ w.
// Nothing for no values or weights that sum to zero or less.
std::optional<MeanEstimate> weighted_ratio(std::span<const double> values,
                                           std::span<const double> weights);

// Whether a score cannot be told from guessing: its interval holds `chance`, or lies below it.
bool near_chance(const MeanEstimate& estimate, double chance);

}  // namespace keju
