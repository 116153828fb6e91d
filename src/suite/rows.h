// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "suite/card.h"

namespace keju {

// One row of a data file, checked against the card.
struct DataRow {
  int64_t row = 0;                   // in its file, from 0
  std::string at;                    // "cmmlu/test/agronomy.csv:7"
  Json doc;                          // the columns, in the order of the file, under the card's keys
  std::vector<std::string> options;  // texts of the choices; empty if the data set has none
  int gold = -1;                     // index into options, the first of several; -1: not labelled
  std::vector<int> golds;            // all right options
};

class RowSpool;

// The rows of a subject: in memory stand eight bytes of each, its texts lie in the split's spool
// (row_spool.h) and are read when they are asked for. Threads: const, safe to share.
class RowList {
 public:
  class Iterator {
   public:
    Iterator(const RowList& list, size_t index) : list_(&list), index_(index) {}
    DataRow operator*() const { return (*list_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    const RowList* list_;
    size_t index_;
  };

  explicit RowList(std::shared_ptr<RowSpool> spool);
  size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  DataRow operator[](size_t index) const;  // Errors: Error(kIo)
  size_t options(size_t index) const { return places_[index] >> 48 & kMostOptions; }  // how many
  bool labelled(size_t index) const { return places_[index] >> 63 != 0; }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }
  void push_back(const DataRow& row);  // Errors: Error(kIo)

 private:
  static constexpr uint64_t kMostOptions = 0x7fff;
  std::shared_ptr<RowSpool> spool_;
  // By row, from the lowest bit: 48 of its place in the spool, 15 of its options' number, 1 whether
  // it has a gold option.
  std::deque<uint64_t> places_;
};

struct SubjectRows {
  std::string subject;
  RowList rows;
};

// A split as read: the asked subjects in the card's order.
struct SplitRows {
  std::string split;
  bool labelled = false;  // some row has a gold option; the others count as unlabelled
  std::vector<SubjectRows> subjects;
  // Of the lines "<sha256>  <path>\n" over the files used, sorted.
  std::string sha256;
  // The same over every file of the split; "" if one of them is not there.
  std::string whole_sha256;
};

// Reads `split` of a data set, for `subjects` (all if empty). Files are read and checked whole, row
// by row; JSON and gzip files stand in memory while they are read.
// Errors: Error(kInput) `file:line: what`, for a row with a missing option, a wrong number of
// columns, an answer that is none of the options or an id seen before; Error(kIo) for a missing
// file.
SplitRows read_split(const DataCard& card,
                     const DataFolder& folder,
                     const std::string& split,
                     const std::vector<std::string>& subjects);

}  // namespace keju
