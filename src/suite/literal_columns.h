// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// AGIEval's few_shot_prompts.csv: a column for each examination, and by turns a record of worked
// examples, spelt as Python's dicts, and one of their explanations; cells may be empty. The rows of
// `column` as JSON lines, each with its `explanation`, whose blank lines are taken out as the
// repository does. `where` names the file. Errors: Error(kInput) with line and column.
std::string literal_rows(std::string_view csv, const std::string& column, const std::string& where);

}  // namespace keju
