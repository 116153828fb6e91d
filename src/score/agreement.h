// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "score/statistics.h"

// How far a judge's verdicts agree with those of people, and what its errors do to a rate.
namespace keju {

// Cohen's kappa of two raters over the classes 0 to `classes` - 1. `quadratic`: disagreements weigh
// by the square of their distance (for scores). Nothing without items, or where chance alone agrees
// wholly. Source: Cohen 1960, 1968.
std::optional<double> kappa(std::span<const int> a,
                            std::span<const int> b,
                            int classes,
                            bool quadratic);

// A judge against gold labels of yes and no.
struct Confusion {
  int64_t yes_yes = 0, yes_no = 0;  // gold yes: judged yes, judged no
  int64_t no_yes = 0, no_no = 0;    // gold no
};

// The rate of yes that gold labels would give, from the judged rate over `count` items and the
// judge's sensitivity and specificity on the gold slice: (q + sp - 1) / (se + sp - 1), clamped to
// [0, 1], with a normal interval of the three errors together. Nothing where the slice lacks a
// class or the judge is no better than a coin. Source: Rogan & Gladen 1978.
std::optional<MeanEstimate> corrected_rate(double judged_rate,
                                           int64_t count,
                                           const Confusion& slice);

}  // namespace keju
