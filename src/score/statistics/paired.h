// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "score/statistics.h"
#include "score/statistics/design.h"

// Two examinees on the same items.
namespace keju {

// How answers of two examinees fall together.
struct PairedCounts {
  int64_t both = 0, first_only = 0, second_only = 0, neither = 0;
  int64_t count() const { return both + first_only + second_only + neither; }
  int64_t discordant() const { return first_only + second_only; }
};

// McNemar's test by the exact binomial, two-sided; and its mid-p version, which takes off half of
// what the exact one wastes. 1 where no answer differs. Source: Fagerland et al. 2013.
double mcnemar_exact(int64_t first_only, int64_t second_only);
double mcnemar_mid_p(int64_t first_only, int64_t second_only);

// Tango's score statistic for the hypothesis that the difference of shares, first minus second, is
// `difference` (-1 < difference < 1): standard normal under it. Counts may be fractional (effective
// counts of a clustered sample). It keeps its level with few differing answers, where estimate ±
// z·se does not. Source: Tango 1998, Statistics in Medicine 17, 891-908.
double paired_score_statistic(double first_only,
                              double second_only,
                              double count,
                              double difference);

// The differences that the statistic does not refuse at ±z.
Interval paired_score_interval(double first_only, double second_only, double count, double z);

// The paired difference, second minus first, with all that is needed to test it.
struct PairedDifference {
  DesignMean mean;          // of second - first
  PairedCounts counts;      // of values above and below 1/2
  bool by_score = false;    // interval and bounds are the score test's, see below
  bool clustered = false;   // some cluster has two items or more
  Interval interval;        // 95 %
  double p = 1;             // two-sided, of no difference
  const char* method = "";  // how p was found: "mcnemar-mid-p" or "cluster-t"

  // One-sided bounds at level alpha each: P[lower > truth] <= alpha.
  double lower(double alpha) const;
  double upper(double alpha) const;
};

// Right and wrong answers under micro weights: interval and bounds by the score statistic, with
// counts divided by the design effect (where above 1) and Student's t for the normal quantile.
// Other values, or macro weights: mean ± t·se, unless no answer differs, when only the score test
// has bounds. p is McNemar's mid-p for unclustered right and wrong answers under micro weights,
// else that of t. Nothing where design_mean has nothing.
std::optional<PairedDifference> paired_difference(std::span<const double> first,
                                                  std::span<const double> second,
                                                  const Design& design = {});

// The test alone, for those who make many under one design: what `paired_difference` has in `mean`,
// less its interval, and `p`.
struct PairedTest {
  DesignMean mean;  // of second - first
  double p = 1;
};
std::optional<PairedTest> paired_test(std::span<const double> first,
                                      std::span<const double> second,
                                      const DesignLayout& layout,
                                      Design::Weights weights);

}  // namespace keju
