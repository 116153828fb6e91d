// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/index.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/runtime.h"

namespace keju::cuda {

// The rows of a step as the kernels want them, on the card. A step's layers share one.
struct StepTables {
  const int32_t* page_ids = nullptr;
  const RowPlace* rows = nullptr;  // all, prompt rows first
  int64_t prompt_rows = 0;
  int64_t generated_rows = 0;
  const Tile* tiles = nullptr;  // of the prompt rows
  int64_t tile_count = 0;
  const SplitItem* items = nullptr;  // of the generated rows
  int64_t item_count = 0;
  int64_t splits = 0;  // of the longest generated row
};

// What launches of a decode step depend on beside the contents of its frame. Sizes are made up, so
// that steps of neighbouring sizes are of one shape.
struct StepShape {
  const void* owner = nullptr;
  const KvPages* kv = nullptr;
  int64_t variant = 0;
  int64_t rows = 0;
  int64_t splits = 0;
  int64_t items = 0;
  std::array<bool, 3> lists{};
  bool samples = false;
  auto operator<=>(const StepShape&) const = default;
};

// Where everything that a decode step reads from the host lies on the card: for steps of one shape
// at the same addresses, filled by one copy before the step's launches. Rows past the segments'
// have no place, items past the last have no rows.
class StepFrame {
 public:
  explicit StepFrame(Runtime& runtime) : runtime_(runtime) {}

  // Steps whose frames take so many bytes find them there.
  void reserve(int64_t bytes);
  // The step's lists and segments must outlive the frame's use.
  void fill(const GeneratedStep& step, PinnedRing& ring);
  const StepShape& shape() const { return shape_; }
  const StepTables& tables(std::span<const Segment> segments, int group) const;
  // One of the step's lists, on the card.
  const int32_t* list(std::span<const int32_t> values) const;
  // Of row r: its draw, from logits of logit_rows(V) rows at a time, and where its token comes to.
  const SampleTask* tasks(std::span<const SampleRule> rules) const;
  int32_t* drawn() const { return drawn_; }

 private:
  void place_rows(const GeneratedStep& step);
  void place_draws(const GeneratedStep& step);

  Runtime& runtime_;
  Memory memory_;
  GeneratedStep step_;
  StepShape shape_;
  StepTables tables_;
  std::array<const int32_t*, 3> lists_{};
  const SampleTask* tasks_ = nullptr;
  int32_t* drawn_ = nullptr;
  // On the host, kept so that a step allocates little.
  std::vector<int32_t> page_ids_;
  std::vector<RowPlace> rows_;
  std::vector<SplitItem> items_;
  std::vector<SampleTask> draws_;
  std::vector<std::byte> packed_;
};

}  // namespace keju::cuda
