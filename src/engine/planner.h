// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "engine/page_pool.h"
#include "engine/trie.h"
#include "model/model.h"

namespace keju {

// A step and what its needed rows are for.
struct PlannedStep {
  Step step;
  // Page lists that step.segments point into; stable in memory.
  std::deque<std::vector<int32_t>> page_lists;
  struct Wanted {
    std::vector<int32_t> ids;           // to pick at this row, ascending, no doubles
    std::vector<Trie::NodeNeed> needs;  // who asked
  };
  std::vector<Wanted> wanted;  // one per step.needed
  std::vector<int32_t> begun;  // sequences whose last node starts in this step
};

struct PlannerLimits {
  int64_t step_rows = 512;
  int64_t step_pages = 256;  // new pages per step: short leaves need a page each
};

// Walks a trie depth-first and packs its rows into steps without padding. A node may share a step
// with its children. What a node keeps lives until its last descendant has been planned.
class Planner {
 public:
  // `keep(sequence, state)` is called for sequences with a need of token -1 (generations) when
  // their last row has been planned, with a state of their own; may be empty otherwise.
  using Keep = std::function<void(int32_t sequence, PathState state)>;
  Planner(const Trie& trie,
          const std::vector<Sequence>& sequences,
          PagePool& pool,
          PlannerLimits limits,
          Keep keep);
  ~Planner();

  // Fills `out`; false when the trie is done. Copies stand in `out.step.copies`; the caller runs
  // the step and then calls pool.end_step().
  bool next(PlannedStep& out);

  int64_t rows_planned() const { return rows_planned_; }

 private:
  struct Open {
    int32_t node = 0;
    PathState state;
  };
  void open_node(PlannedStep& out);
  void add_rows(PlannedStep& out, int32_t count);
  void close_finished();
  int64_t room(const PlannedStep& out) const;

  const Trie& trie_;
  const std::vector<Sequence>& sequences_;
  PagePool& pool_;
  PlannerLimits limits_;
  Keep keep_;
  std::vector<Open> open_;  // path from the root
  int32_t next_node_ = 0;   // next node to open
  int32_t done_rows_ = 0;   // rows of open_.back() already planned
  int32_t next_need_ = 0;   // into the needs of open_.back()
  bool mid_node_ = false;
  int64_t rows_planned_ = 0;
  int64_t pages_at_start_ = 0;
};

}  // namespace keju
