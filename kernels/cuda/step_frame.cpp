// SPDX-License-Identifier: MIT
#include "kernels/cuda/step_frame.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/cuda/rooms.h"
#include "kernels/cuda/split_items.h"
#include "kernels/sampling.h"

namespace keju::cuda {
namespace {

int64_t padded(int64_t bytes) { return (bytes + 15) / 16 * 16; }

template <typename T>
int64_t bytes_of(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

}  // namespace

// Rows and items of the step, made up to their shape.
void StepFrame::place_rows(const GeneratedStep& step) {
  rows_.clear();
  page_ids_.clear();
  int64_t splits = 1;
  for (const Segment& s : step.segments) {
    KEJU_CHECK(s.generated && s.rows == 1, "a decode step is of generated rows, one a text");
    rows_.push_back({s.row0, s.pos0, static_cast<int32_t>(page_ids_.size())});
    page_ids_.insert(page_ids_.end(), s.pages, s.pages + s.pos0 / kPagePositions + 1);
    splits = std::max<int64_t>(splits, s.pos0 / kSplit + 1);
  }
  KEJU_CHECK(static_cast<int64_t>(rows_.size()) <= step.rows, "rows of a decode step");
  items_ = make_split_items(rows_, page_ids_, item_rows(static_cast<int>(step.heads_per_key)));
  shape_ = {.owner = step.owner,
            .kv = step.kv,
            .variant = step.variant,
            .rows = step.rows,
            .splits = made_up(splits),
            .items = made_up(static_cast<int64_t>(items_.size()))};
  rows_.resize(static_cast<size_t>(shape_.rows), {.position = -1});
  items_.resize(static_cast<size_t>(shape_.items));
}

// A draw for every row: one stands at its place among the logits that are computed together.
void StepFrame::place_draws(const GeneratedStep& step) {
  draws_.clear();
  shape_.samples = !step.rules.empty();
  if (!shape_.samples) return;
  KEJU_CHECK(static_cast<int64_t>(step.rules.size()) == shape_.rows &&
                 step.drawn.size() == step.rules.size(),
             "a rule and a token of a decode step for each row");
  const int64_t at_once = logit_rows(step.vocabulary);
  for (int64_t r = 0; r < shape_.rows; ++r) {
    const SampleRule& rule = step.rules[static_cast<size_t>(r)];
    KEJU_CHECK(rule.row == r, "rules of a decode step by rows");
    draws_.push_back({sample_cut(rule), r % at_once});
  }
}

void StepFrame::reserve(int64_t bytes) {
  if (bytes <= memory_.bytes()) return;
  memory_.reset();
  memory_ = Memory(runtime_, bytes);
}

// Lists, rows and items take what their shape says; the page ids stand last, so that only as many
// travel as there are.
void StepFrame::fill(const GeneratedStep& step, PinnedRing& ring) {
  step_ = step;
  place_rows(step);
  place_draws(step);
  const int64_t list_bytes = padded(shape_.rows * static_cast<int64_t>(sizeof(int32_t)));
  int64_t used = 0;
  const auto take = [&](int64_t bytes) {
    const int64_t at = used;
    used += padded(bytes);
    return at;
  };
  std::array<int64_t, 3> lists_at{};
  for (size_t i = 0; i < lists_at.size(); ++i) {
    shape_.lists[i] = !step.lists[i].empty();
    KEJU_CHECK(!shape_.lists[i] || static_cast<int64_t>(step.lists[i].size()) == shape_.rows,
               "a list of a decode step has an entry per row");
    if (shape_.lists[i]) lists_at[i] = take(list_bytes);
  }
  const int64_t rows_at = take(bytes_of(rows_));
  const int64_t items_at = take(bytes_of(items_));
  const int64_t draws_at = take(bytes_of(draws_));
  const int64_t drawn_at = shape_.samples ? take(list_bytes) : 0;
  const int64_t pages_at = take(bytes_of(page_ids_));

  const int64_t most = frame_bytes(shape_.rows, shape_.splits, shape_.items);
  KEJU_CHECK(used <= most, "a decode step's frame");
  reserve(most);
  packed_.resize(static_cast<size_t>(used));
  const auto put = [&](int64_t at, const void* from, int64_t bytes) {
    if (bytes > 0) std::memcpy(packed_.data() + at, from, static_cast<size_t>(bytes));
    return memory_.data() + at;
  };
  for (size_t i = 0; i < lists_at.size(); ++i) {
    if (!shape_.lists[i]) continue;
    const auto bytes = static_cast<int64_t>(step.lists[i].size_bytes());
    lists_[i] = reinterpret_cast<const int32_t*>(put(lists_at[i], step.lists[i].data(), bytes));
  }
  tasks_ = reinterpret_cast<const SampleTask*>(put(draws_at, draws_.data(), bytes_of(draws_)));
  drawn_ = reinterpret_cast<int32_t*>(memory_.data() + drawn_at);
  tables_ = {};
  tables_.rows = reinterpret_cast<const RowPlace*>(put(rows_at, rows_.data(), bytes_of(rows_)));
  tables_.items =
      reinterpret_cast<const SplitItem*>(put(items_at, items_.data(), bytes_of(items_)));
  tables_.page_ids =
      reinterpret_cast<const int32_t*>(put(pages_at, page_ids_.data(), bytes_of(page_ids_)));
  tables_.generated_rows = shape_.rows;
  tables_.item_count = shape_.items;
  tables_.splits = shape_.splits;
  ring.send(memory_.data(), packed_.data(), used);
  ring.flush();
}

const StepTables& StepFrame::tables(std::span<const Segment> segments, int group) const {
  KEJU_CHECK(segments.data() == step_.segments.data() && segments.size() == step_.segments.size() &&
                 group == step_.heads_per_key,
             "segments or heads that the decode step did not name");
  return tables_;
}

const SampleTask* StepFrame::tasks(std::span<const SampleRule> rules) const {
  KEJU_CHECK(
      shape_.samples && rules.data() == step_.rules.data() && rules.size() == step_.rules.size(),
      "rules that the decode step did not name");
  return tasks_;
}

const int32_t* StepFrame::list(std::span<const int32_t> values) const {
  for (size_t i = 0; i < lists_.size(); ++i) {
    if (values.data() == step_.lists[i].data() && values.size() == step_.lists[i].size())
      return lists_[i];
  }
  KEJU_CHECK(false, "a list that the decode step did not name");
  return nullptr;
}

}  // namespace keju::cuda
