// SPDX-License-Identifier: MIT
#include "kernels/cuda/step_graphs.h"

#include <algorithm>

#include "base/error.h"

namespace keju::cuda {

void StepGraphs::run(const StepShape& shape, const Queue& queue) {
  if (memory_ != runtime_.memory_changes()) clear();
  memory_ = runtime_.memory_changes();
  const auto known = entries_.find(shape);
  if (known != entries_.end()) {
    Entry& entry = known->second;
    entry.used = ++steps_;
    if (entry.graph < 0) capture(entry, queue);
    runtime_.replay(entry.graph);
    return;
  }
  queue();
  if (memory_ != runtime_.memory_changes()) clear();
  memory_ = runtime_.memory_changes();
  if (entries_.size() >= kMost) drop_oldest();
  entries_[shape].used = ++steps_;
}

void StepGraphs::capture(Entry& entry, const Queue& queue) {
  runtime_.begin_capture();
  try {
    queue();
  } catch (...) {
    runtime_.abandon_capture();
    throw;
  }
  entry.graph = runtime_.end_capture();
  KEJU_CHECK(memory_ == runtime_.memory_changes(), "memory changed while a step was captured");
}

void StepGraphs::clear() noexcept {
  for (auto& [shape, entry] : entries_) {
    if (entry.graph >= 0) runtime_.drop_graph(entry.graph);
  }
  entries_.clear();
}

void StepGraphs::drop_oldest() {
  const auto oldest =
      std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return a.second.used < b.second.used;
      });
  if (oldest->second.graph >= 0) runtime_.drop_graph(oldest->second.graph);
  entries_.erase(oldest);
}

}  // namespace keju::cuda
