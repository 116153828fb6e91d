// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "run/record.h"

// How even a run's speed was, so that two runs' speeds can be compared with an interval.
namespace keju {

// A run's items in the order in which they ended, cut into stretches of equally many: how long each
// took and how many tokens went through in it.
struct Pace {
  std::vector<double> seconds, tokens;
};

struct Paces {
  std::optional<Pace> prefill;  // of items whose options or texts are scored
  std::optional<Pace> decode;   // of items that are generated
};

inline constexpr size_t kStretches = 20;

// `records`: of one session, whose clock their timings share. No pace where a kind has fewer than
// five items for each stretch, or no time passed.
Paces paces_of(const std::vector<const ItemRecord*>& records);

// The candidate's tokens per second over the baseline's, with one-sided bounds at `alpha` each.
struct SpeedRatio {
  double value = 1, low = 1, high = 1;
};

// Stretch by stretch, for both runs ask the same items in the same order: logarithm of the ratio of
// ratios with the delta method's error over stretches, and Student's t. It holds within these two
// runs: what differs from one start of the machine to the next (clocks, neighbours) is in neither.
// Nothing for paces of other lengths.
std::optional<SpeedRatio> speed_ratio(const Pace& baseline, const Pace& candidate, double alpha);

Json to_json(const std::optional<Pace>& pace);
// Nothing for null. Errors: Error(kInput) for anything but equally many numbers above 0 in sum.
std::optional<Pace> pace_from_json(const Json& json, const std::string& where);

}  // namespace keju
