// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <queue>

#include "engine/session.h"

namespace keju {
namespace {

// As many pages as are asked for, none of them in memory.
class CountedPages : public PageStore {
 public:
  explicit CountedPages(int64_t page_bytes) : page_bytes_(page_bytes) {}
  int64_t pages() const override { return pages_; }
  int64_t page_bytes() const override { return page_bytes_; }
  void grow(int64_t pages) override { pages_ = pages; }

 private:
  int64_t page_bytes_;
  int64_t pages_ = 0;
};

// The sum of the `most` largest of what is added.
class Largest {
 public:
  explicit Largest(int64_t most) : most_(static_cast<size_t>(most)) {}
  void add(int64_t value) {
    held_.push(value);
    sum_ += value;
    if (held_.size() <= most_) return;
    sum_ -= held_.top();
    held_.pop();
  }
  int64_t sum() const { return sum_; }

 private:
  size_t most_;
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> held_;
  int64_t sum_ = 0;
};

// Pages that a generation has for itself at its end, `positions` into its text.
int64_t own_pages(const PathState& state, const PagePool& pool, int64_t positions) {
  const auto shared = std::count_if(state.pages().begin(), state.pages().end(), [&](int32_t page) {
    return !pool.sole_owner(page);
  });
  return positions / kPagePositions + 1 - shared;
}

}  // namespace

SessionStats LocalSession::plan_all() {
  CountedPages store(model_.page_bytes());
  PagePool pool(store);
  Largest generations(options_.live_sequences);
  while (fill_window()) {
    while (start_regime(pool)) {
      stats_.tokens_done = stats_.tokens_planned;
      for (PlannedStep step; planner_->next(step); step = {}) {
        for (auto& [sequence, state] : kept_) {
          const SequenceInfo& info = current_->infos[static_cast<size_t>(sequence)];
          const auto& request = std::get<GenerateRequest>(jobs_.at(info.job).request.what);
          generations.add(own_pages(
              state, pool, std::min(context_length_, state.length() + request.max_tokens)));
          state.release(pool);
        }
        kept_.clear();
        pool.end_step();
      }
    }
    planner_.reset();
    jobs_.clear();
    ready_.clear();
  }
  stats_.kv_peak_bytes = pool.peak_bytes() + generations.sum() * model_.page_bytes();
  return stats_;
}

}  // namespace keju
