// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "run/record.h"

namespace keju {

// One record for each item that was sampled `samples` times: its value the samples' mean. An item
// that lacks a sample is left out (it is unfinished); one with a failed sample has failed; samples
// that could not be read count as their outcomes say. Everything but the outcome is the first's.
std::vector<ItemRecord> mean_over_samples(const std::vector<const ItemRecord*>& records,
                                          int64_t samples);

// [{"k", "value", "se"}] for k = 1, 2, 5, 10, … up to `samples`, over the items with all their
// samples and none failed; right is a value of 1. `se` is of the mean over items, null for one.
Json pass_at_k_rows(const std::vector<const ItemRecord*>& records, int64_t samples);

}  // namespace keju
