// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "text/tokenizer.h"

namespace keju {

// One part of a word while byte-pair merges go on: text[begin, end) with its id (-1: none yet).
struct Symbol {
  TokenId id;
  uint32_t begin;
  uint32_t end;
  bool frozen = false;  // never merged
};

struct Merge {
  static constexpr uint32_t kNone = UINT32_MAX;
  uint32_t rank = kNone;  // lower is merged earlier
  TokenId id = -1;
};

// Joins neighbouring symbols until nothing can be joined: always the pair of lowest rank, the
// leftmost of equals. `lookup(left, right)` says whether and into what two symbols join.
// Short words are scanned anew for every merge; long ones use a heap, so time is O(n log n).
struct MergeScratch {
  struct Entry {
    uint64_t order;  // rank, then position
    uint32_t end;    // where the pair ended when it was queued; differs if it has changed since
    TokenId id;
    bool operator<(const Entry& other) const { return order > other.order; }
  };
  std::vector<Entry> heap;
  std::vector<uint32_t> previous;
  std::vector<uint32_t> next;
};

template <typename Lookup>
void merge_short(std::vector<Symbol>& symbols, const Lookup& lookup) {
  constexpr size_t kMax = 64;
  uint32_t ranks[kMax];
  TokenId ids[kMax];
  size_t pairs = symbols.size() - 1;
  const auto refresh = [&](size_t i) {
    const Merge merge = lookup(symbols[i], symbols[i + 1]);
    ranks[i] = merge.rank;
    ids[i] = merge.id;
  };
  if constexpr (requires { lookup.prefetch(symbols[0], symbols[0]); }) {
    for (size_t i = 0; i < pairs; ++i) lookup.prefetch(symbols[i], symbols[i + 1]);
  }
  for (size_t i = 0; i < pairs; ++i) refresh(i);
  while (pairs > 0) {
    const size_t at = static_cast<size_t>(std::min_element(ranks, ranks + pairs) - ranks);
    if (ranks[at] == Merge::kNone) break;
    symbols[at].id = ids[at];
    symbols[at].end = symbols[at + 1].end;
    symbols.erase(symbols.begin() + static_cast<int64_t>(at) + 1);
    --pairs;
    std::copy(ranks + at + 1, ranks + pairs + 1, ranks + at);
    std::copy(ids + at + 1, ids + pairs + 1, ids + at);
    if (at < pairs) refresh(at);
    if (at > 0) refresh(at - 1);
  }
}

template <typename Lookup>
void merge_long(std::vector<Symbol>& symbols, const Lookup& lookup, MergeScratch& scratch) {
  constexpr uint32_t kEnd = UINT32_MAX;
  const auto count = static_cast<uint32_t>(symbols.size());
  scratch.heap.clear();
  scratch.previous.resize(count);
  scratch.next.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    scratch.previous[i] = i == 0 ? kEnd : i - 1;
    scratch.next[i] = i + 1 == count ? kEnd : i + 1;
  }
  const auto queue = [&](uint32_t left) {
    const uint32_t right = scratch.next[left];
    if (right == kEnd) return;
    const Merge merge = lookup(symbols[left], symbols[right]);
    if (merge.rank == Merge::kNone) return;
    scratch.heap.push_back({uint64_t{merge.rank} << 32 | left, symbols[right].end, merge.id});
  };
  for (uint32_t i = 0; i + 1 < count; ++i) queue(i);
  std::make_heap(scratch.heap.begin(), scratch.heap.end());
  const auto push = [&](uint32_t left) {
    const size_t before = scratch.heap.size();
    queue(left);
    if (scratch.heap.size() > before) std::push_heap(scratch.heap.begin(), scratch.heap.end());
  };
  std::vector<bool> gone(count);
  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end());
    const MergeScratch::Entry top = scratch.heap.back();
    scratch.heap.pop_back();
    const auto left = static_cast<uint32_t>(top.order);
    const uint32_t right = gone[left] ? kEnd : scratch.next[left];
    if (right == kEnd || symbols[right].end != top.end) continue;
    symbols[left].id = top.id;
    symbols[left].end = top.end;
    gone[right] = true;
    scratch.next[left] = scratch.next[right];
    if (scratch.next[left] != kEnd) scratch.previous[scratch.next[left]] = left;
    if (scratch.previous[left] != kEnd) push(scratch.previous[left]);
    push(left);
  }
  size_t kept = 0;
  for (uint32_t i = 0; i != kEnd; i = scratch.next[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

template <typename Lookup>
void merge_symbols(std::vector<Symbol>& symbols, const Lookup& lookup, MergeScratch& scratch) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= 64) return merge_short(symbols, lookup);
  merge_long(symbols, lookup, scratch);
}

}  // namespace keju
