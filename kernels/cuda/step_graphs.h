// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "kernels/cuda/runtime.h"
#include "kernels/cuda/step_frame.h"

namespace keju::cuda {

// Graphs of decode steps by shape. The first step of a shape is launched one by one, which takes
// the memory that it needs and loads its kernels; the second is captured; from then on the graph is
// launched. Memory taken or given back by anybody since then may have moved what a graph points to:
// all are dropped.
class StepGraphs {
 public:
  explicit StepGraphs(Runtime& runtime) : runtime_(runtime) {}
  ~StepGraphs() { clear(); }
  StepGraphs(const StepGraphs&) = delete;
  StepGraphs& operator=(const StepGraphs&) = delete;

  // Queues the work of a step of this shape, whose frame is filled; `queue` launches it. Errors:
  // the runtime's, and what `queue` throws.
  using Queue = std::function<void()>;
  void run(const StepShape& shape, const Queue& queue);

 private:
  // Shapes whose graphs are kept: a card's driver takes memory for each.
  static constexpr size_t kMost = 48;
  struct Entry {
    Graph graph = -1;  // none: seen once
    int64_t used = 0;  // when, by count of steps
  };
  void clear() noexcept;
  void drop_oldest();
  void capture(Entry& entry, const Queue& queue);

  Runtime& runtime_;
  std::map<StepShape, Entry> entries_;
  int64_t steps_ = 0;
  int64_t memory_ = -1;  // the runtime's memory_changes() that all entries were made under
};

}  // namespace keju::cuda
