// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// The texts of a new suite's three files, and what was decided for it.
struct NewSuite {
  std::string suite, card, rows;  // name.yaml, name/dataset.yaml, name/test.csv
  int64_t items = 0;
  std::vector<std::string> notes;  // "answers are numbers: the last number of the output is read"
};

// A suite of a user's own items. `csv` has a header and the columns question and answer; A, B and
// so on for items with options, whose answer is then a letter; id and subject if wanted. Items
// without options are generated: answers that are all numbers are compared as numbers with the last
// number of the output, others as text with its first line; both may be changed in the file.
// `is_private`: items and outputs stay out of results, reports and exports. Errors: Error(kInput)
// with file and line for a column that is missing or unknown and a row without question or answer;
// Error(kUsage) for a name that is no plain one.
NewSuite new_suite(std::string_view csv,
                   const std::string& where,
                   const std::string& name,
                   bool is_private);

}  // namespace keju
