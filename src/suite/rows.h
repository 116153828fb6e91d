// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
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

struct SubjectRows {
  std::string subject;
  std::vector<DataRow> rows;
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

// Reads `split` of a data set, for `subjects` (all if empty). Files are read and checked whole.
// Errors: Error(kInput) `file:line: what`, for a row with a missing option, a wrong number of
// columns, an answer that is none of the options or an id seen before; Error(kIo) for a missing
// file.
SplitRows read_split(const DataCard& card,
                     const DataFolder& folder,
                     const std::string& split,
                     const std::vector<std::string>& subjects);

}  // namespace keju
