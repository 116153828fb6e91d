// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "suite/exam.h"

namespace keju {

// A score as a judge gave it.
struct Judgement {
  double score = 0;                                   // from `lowest` to `highest`
  std::vector<std::pair<std::string, double>> parts;  // by dimension, in the judge's order
};

// Reads a score out of what a judge wrote, or what a person filled in (a bare number). Nothing for
// text that holds none, or one out of range: such a verdict is counted, never taken for a score.
std::optional<Judgement> read_judgement(const JudgeRules& rules, std::string_view text);

enum class Winner { kA, kB, kTie };

// The last [[A]], [[B]] or [[C]] (a tie), or a bare A, B, C or tie. Nothing for anything else.
std::optional<Winner> read_winner(std::string_view text);

// The winner of a pair of games with swapped order, by MT-Bench's rule: who wins both; a tie where
// they disagree. `first` and `second` are the winners as the judge named them, the second with
// sides swapped.
Winner of_both_orders(Winner first, Winner second);

// The most frequent of several votes; a tie where the front is shared. `votes` is not empty.
Winner majority(const std::vector<Winner>& votes);

// The text that a judge is sent. Errors: Error(kInput) for a template that cannot be rendered.
std::string judge_prompt(const std::string& source, const std::string& where, const Json& values);

}  // namespace keju
