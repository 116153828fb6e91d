// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Whether an extracted answer is right, by a rule of suite/rules.h. `accepted` are further right
// answers. Errors: Error(kUsage) for an unknown rule.
//
//   letter_equal        the same letter, whatever its case
//   text_equal          equal after folding width and ASCII case, and without marks and spaces
//   around
//                       and runs of spaces inside
//   number_equal        both are numbers, and equal: separators, 万/亿, fractions, %, units
//   understood answer_equal        number_equal where the gold answer is a number, else text_equal
//   lm_eval_exact       exact_match of lm-evaluation-harness's gsm8k tasks: without ",", "$",
//   anything
//                       up to "#### ", a "." at the end, and whatever the case
//   opencompass_number  |float(a) - int(b)| < 1e-6
//   cmath               any of the candidates: integers exactly, else within 1 %
bool answers_match(std::string_view rule,
                   std::string_view answer,
                   std::string_view gold,
                   const std::vector<std::string>& accepted = {});

}  // namespace keju
