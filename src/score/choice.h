// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

// Which option a model prefers; unlabelled items have one, too (a submission file wants it).
struct Choice {
  int index = -1;
  bool tie = false;            // the best was not alone; the first of them was taken
  std::vector<double> scores;  // of each option by the rule
};

// Applies one rule to the log-likelihoods of an item's options. `why` says what is wrong where no
// choice can be made: a log-likelihood that is not finite, or a rule that would divide by zero.
// Errors: Error(kBug) where the response does not belong to the item.
std::optional<Choice> choose(const ExamItem& item,
                             const ScoreResult& result,
                             ChoiceScore rule,
                             std::string& why);

}  // namespace keju
