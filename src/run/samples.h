// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "run/record.h"
#include "score/statistics/pass_at_k.h"

namespace keju {

// Items that were sampled `samples` times each. `take` gets one outcome for each: the samples'
// mean. An item that lacks a sample is left out (it is unfinished); one with a failed sample has
// failed; samples that could not be read count as their outcomes say.
class SampledItems {
 public:
  using Take = std::function<void(const std::string& subject, const Outcome& mean)>;
  SampledItems(int64_t samples, Take take) : samples_(samples), take_(std::move(take)) {}
  void add(const ItemRecord& record);  // an item's samples come one after another
  void finish();                       // the last item is whole

  // [{"k", "value", "se"}] for k = 1, 2, 5, 10, … up to `samples`, over the items with all their
  // samples and none failed; right is a value of 1. `se` is of the mean over items, null for one.
  Json pass_at_k() const;

 private:
  int64_t samples_;
  Take take_;
  std::string subject_;
  int64_t row_ = 0;
  std::vector<Outcome> waiting_;  // of one item
  std::vector<Samples> right_;    // sixteen bytes for each item
};

}  // namespace keju
