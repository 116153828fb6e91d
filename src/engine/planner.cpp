// SPDX-License-Identifier: MIT
#include "engine/planner.h"

#include <algorithm>

#include "base/error.h"

namespace keju {

Planner::Planner(const Trie& trie,
                 const std::vector<Sequence>& sequences,
                 PagePool& pool,
                 PlannerLimits limits,
                 Keep keep)
    : trie_(trie), sequences_(sequences), pool_(pool), limits_(limits), keep_(std::move(keep)) {}

Planner::~Planner() {
  for (Open& open : open_) open.state.release(pool_);
}

// Nodes whose subtree is planned give their state back.
void Planner::close_finished() {
  while (!open_.empty() && trie_.nodes()[open_.back().node].subtree_end <= next_node_ &&
         !mid_node_) {
    open_.back().state.release(pool_);
    open_.pop_back();
  }
}

void Planner::open_node(PlannedStep& out) {
  const Trie::Node& node = trie_.nodes()[next_node_];
  Open open{.node = next_node_, .state = {}};
  if (node.parent >= 0) {
    KEJU_CHECK(!open_.empty() && open_.back().node == node.parent,
               "planner: a node opened out of order");
    const auto tail = node.last_child ? PathState::Tail::kAdopt : PathState::Tail::kCopy;
    open.state = open_.back().state.branch(pool_, tail, out.step.copies);
  }
  open_.push_back(std::move(open));
  ++next_node_;
  done_rows_ = 0;
  next_need_ = 0;
  mid_node_ = true;
  const auto needs = trie_.needs(node);
  for (const Trie::NodeNeed& need : needs) {
    // A sequence begins to be worked on with its last node: what lies before is shared.
    if (need.need + 1 == static_cast<int32_t>(sequences_[need.sequence].needs.size()))
      out.begun.push_back(need.sequence);
  }
}

void Planner::add_rows(PlannedStep& out, int32_t count) {
  Open& open = open_.back();
  const Trie::Node& node = trie_.nodes()[open.node];
  open.state.extend(pool_, count);
  out.page_lists.push_back(open.state.pages());
  Segment segment;
  segment.row0 = static_cast<int32_t>(out.step.ids.size());
  segment.rows = count;
  segment.pos0 = node.start + done_rows_;
  segment.pages = out.page_lists.back().data();
  out.step.segments.push_back(segment);
  const int32_t* tokens = trie_.tokens(node) + done_rows_;
  out.step.ids.insert(out.step.ids.end(), tokens, tokens + count);

  const auto needs = trie_.needs(node);
  const int32_t end = done_rows_ + count;
  while (next_need_ < node.needs && needs[next_need_].offset < end) {
    const int32_t row = segment.row0 + needs[next_need_].offset - done_rows_;
    if (out.step.needed.empty() || out.step.needed.back() != row) {
      out.step.needed.push_back(row);
      out.wanted.emplace_back();
    }
    PlannedStep::Wanted& wanted = out.wanted.back();
    const Need& need = sequences_[needs[next_need_].sequence].needs[needs[next_need_].need];
    wanted.needs.push_back(needs[next_need_]);
    if (need.token >= 0) wanted.ids.push_back(need.token);
    if (need.token < 0 && keep_) {
      // The page list that the generation goes on with is its own from here.
      KEJU_CHECK(needs[next_need_].offset + 1 == end,
                 "planner: a generation must continue from the rows just planned");
      keep_(needs[next_need_].sequence,
            open.state.branch(pool_, PathState::Tail::kCopy, out.step.copies));
    }
    ++next_need_;
  }
  done_rows_ = end;
  rows_planned_ += count;
  if (done_rows_ == node.size) mid_node_ = false;
}

bool Planner::next(PlannedStep& out) {
  out = PlannedStep{};
  pages_at_start_ = pool_.in_use();
  const auto nodes = static_cast<int32_t>(trie_.nodes().size());
  while (true) {
    if (!mid_node_) {
      close_finished();
      if (next_node_ == nodes) break;
      const bool full = static_cast<int64_t>(out.step.ids.size()) >= limits_.step_rows ||
                        pool_.in_use() - pages_at_start_ >= limits_.step_pages;
      if (full) break;
      open_node(out);
    }
    const Trie::Node& node = trie_.nodes()[open_.back().node];
    const auto room =
        static_cast<int32_t>(limits_.step_rows - static_cast<int64_t>(out.step.ids.size()));
    int32_t count = std::min(room, node.size - done_rows_);
    if (count < node.size - done_rows_) {
      // A node that does not fit is cut where a page ends, if a page ends in what fits.
      const int32_t aligned = (node.start + done_rows_ + count) / kPagePositions * kPagePositions -
                              (node.start + done_rows_);
      if (aligned > 0) count = aligned;
    }
    if (count <= 0) break;
    add_rows(out, count);
    if (mid_node_) break;
  }
  for (PlannedStep::Wanted& wanted : out.wanted) {
    std::sort(wanted.ids.begin(), wanted.ids.end());
    wanted.ids.erase(std::unique(wanted.ids.begin(), wanted.ids.end()), wanted.ids.end());
  }
  return !out.step.ids.empty();
}

}  // namespace keju
