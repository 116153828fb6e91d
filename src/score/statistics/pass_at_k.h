// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "score/statistics.h"

// Several samples per item. `count` samples of which `right` are right, 0 <= right <= count.
namespace keju {

// Unbiased chance that at least one of k samples is right: 1 - C(n-c, k) / C(n, k).
// Source: Chen et al. 2021 (HumanEval). Nothing for k > count.
std::optional<double> pass_at_k(int64_t count, int64_t right, int64_t k);

// … that all of k are: C(c, k) / C(n, k).
std::optional<double> all_at_k(int64_t count, int64_t right, int64_t k);

// … that at least `least` of k are: the hypergeometric tail (G-Pass@k of Liu et al. 2024).
std::optional<double> pass_at_least(int64_t count, int64_t right, int64_t k, int64_t least);

// The mean over items of pass@k with a standard error over items, never over items times samples.
struct Samples {
  int64_t count = 0, right = 0;
};
std::optional<MeanEstimate> mean_pass_at_k(std::span<const Samples> items, int64_t k);

}  // namespace keju
