// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "run/manifest.h"
#include "run/record.h"
#include "run/store.h"

namespace keju {

// The smallest value that at least `percent` of all lie at or below (nearest rank); none of none.
// `sorted` ascends; 0 < percent <= 100.
std::optional<double> percentile(const std::vector<double>& sorted, double percent);

// {"p50": …, "p90": …, "p99": …, "n": …} with null for what no item tells.
Json percentiles(std::vector<double> values);

// What the latencies of a run are told from, two or three doubles for each item.
struct ItemTimings {
  std::vector<double> ttft_s, tpot_s, latency_s;
  void add(const ItemRecord& record);
};

// The parts `tokens`, `speed` and `memory` of results.json. Rates are over the time spent in that
// phase; latencies are per item: TTFT from its first forward pass to its first token or scores,
// TPOT (end − first token) / (tokens − 1) of items with two tokens or more.
Json token_results(const std::vector<SessionRecord>& sessions);
Json speed_results(const std::vector<SessionRecord>& sessions, ItemTimings timings);
Json memory_results(const std::vector<SessionRecord>& sessions, int64_t weight_bytes);

// Resident memory of this process, at its peak so far and now. Linux alone; 0 elsewhere.
int64_t peak_rss_bytes();
int64_t resident_memory_bytes();

}  // namespace keju
