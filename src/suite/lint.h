// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "suite/card.h"

namespace keju {

// Something about a data set's items that makes its numbers mean less than they seem to.
struct Finding {
  std::string kind;  // "duplicate item", "cross-split duplicate", "duplicate option", …
  std::string at;    // "cmmlu/dev/college_law.csv:3"; the split's name for what concerns it whole
  std::string message;  // with the place of the other one, where there are two
};

// Kinds:
//   duplicate item          same question and options (in any order) twice within a split
//   cross-split duplicate   the same in two splits: a worked example that is also asked
//   duplicate option        two options of an item are equal
//   prefix option           an option begins another one, so that sums of log-likelihoods favour it
//   gold skew               a letter is gold far more often than its share (chi-square, p < 0.001)
//   unlabelled split        no gold answers
//   count                   another number of rows than the card says
//   hash                    the files are not the ones that the card pins
// Splits whose files are not there are left out; that is one finding ("missing split") each.
// Errors: Error(kInput) for files that cannot be read at all.
std::vector<Finding> lint(const DataCard& card, const DataFolder& folder);

}  // namespace keju
