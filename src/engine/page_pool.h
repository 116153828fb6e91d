// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "kernels/backend.h"

namespace keju {

// Where a pool's pages are: on one device or on several, under the same ids.
class PageStore {
 public:
  virtual ~PageStore() = default;
  virtual int64_t pages() const = 0;
  virtual int64_t page_bytes() const = 0;           // of all layers
  virtual int64_t most_pages() const { return 0; }  // where growth stops; 0: nowhere
  virtual void grow(int64_t pages) = 0;             // to at least so many, keeping contents and ids
};

// Reference counts over the pages of a store. Freed pages become available again only after
// `end_step`: within one step all keys are written before any is read, so a page cannot change
// hands. Grows the store when it runs dry. Errors: Error(kDevice) where growth stops.
class PagePool {
 public:
  explicit PagePool(PageStore& store) : store_(store) { add_pages(0); }

  int32_t acquire() {
    if (free_.empty()) grow();
    const int32_t page = free_.back();
    free_.pop_back();
    counts_[page] = 1;
    ++in_use_;
    peak_ = std::max(peak_, in_use_);
    return page;
  }
  void share(int32_t page) { ++counts_[page]; }
  void release(int32_t page) {
    if (--counts_[page] == 0) released_.push_back(page);
  }
  void end_step() {
    in_use_ -= static_cast<int64_t>(released_.size());
    free_.insert(free_.end(), released_.begin(), released_.end());
    released_.clear();
  }
  bool sole_owner(int32_t page) const { return counts_[page] == 1; }
  int64_t in_use() const { return in_use_; }
  // Pages that can still be had.
  int64_t left() const {
    const int64_t most = store_.most_pages();
    return most > 0 ? most - in_use_ : INT64_MAX;
  }
  int64_t peak_bytes() const { return peak_ * store_.page_bytes(); }

 private:
  void grow() {
    const int64_t before = store_.pages();
    const int64_t most = store_.most_pages();
    int64_t wanted = before + std::max<int64_t>(16, before / 4);
    if (most > 0) wanted = std::min(wanted, most);
    if (wanted <= before) {
      throw fail(Code::kDevice,
                 "keys and values: found {} pages of {} tokens, all in use, need more. Hint: fewer "
                 "--live or --step-rows need less",
                 before,
                 kPagePositions);
    }
    store_.grow(wanted);
    add_pages(before);
  }
  void add_pages(int64_t before) {
    counts_.resize(static_cast<size_t>(store_.pages()), 0);
    for (auto p = static_cast<int32_t>(store_.pages()) - 1; p >= before; --p) free_.push_back(p);
  }

  PageStore& store_;
  std::vector<int32_t> counts_, free_, released_;
  int64_t in_use_ = 0, peak_ = 0;
};

// What a trie node or a running generation keeps of the text before it. Today that is the pages of
// its path; layers with a recurrent state will keep a snapshot here beside them. Everything that
// planner and generation do with a state goes through these four calls.
class PathState {
 public:
  // The state of a text that continues this one. The part-filled last page is taken over by copying
  // its first positions (appended to `copies`); with `adopt` the page itself changes hands, which
  // is right when nothing else will continue from here.
  enum class Tail { kCopy, kAdopt };
  PathState branch(PagePool& pool, Tail tail, std::vector<PageCopy>& copies) {
    PathState child;
    child.length_ = length_;
    child.pages_ = pages_;
    const int32_t part = length_ % kPagePositions;
    for (size_t p = 0; p < pages_.size(); ++p) {
      const bool last_part = p + 1 == pages_.size() && part != 0;
      if (last_part && tail == Tail::kAdopt) {
        pages_.pop_back();  // now the child's
        break;
      }
      if (last_part) {
        child.pages_[p] = pool.acquire();
        copies.push_back({pages_[p], child.pages_[p], part});
      } else {
        pool.share(pages_[p]);
      }
    }
    return child;
  }
  // Makes room for `positions` more.
  void extend(PagePool& pool, int32_t positions) {
    length_ += positions;
    while (static_cast<int32_t>(pages_.size()) * kPagePositions < length_)
      pages_.push_back(pool.acquire());
  }
  // Later calls of extend up to `positions` in all allocate no memory of their own.
  void reserve(int64_t positions) {
    pages_.reserve(static_cast<size_t>((positions + kPagePositions - 1) / kPagePositions));
  }
  void release(PagePool& pool) {
    for (const int32_t page : pages_) pool.release(page);
    pages_.clear();
    length_ = 0;
  }
  const std::vector<int32_t>& pages() const { return pages_; }
  int32_t length() const { return length_; }

 private:
  std::vector<int32_t> pages_;
  int32_t length_ = 0;
};

}  // namespace keju
