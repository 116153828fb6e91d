// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keju {

// How right an extracted answer is, in [0, 1], by a rule of suite/rules.h; the best over the gold
// answer and `accepted`, further right ones. Errors: Error(kUsage) for an unknown rule.
//
//   letter_equal        the same letter, whatever its case
//   letters_equal       the same set of capital letters
//   text_equal          equal after folding width and ASCII case, without marks and spaces around
//                       and runs of spaces inside
//   number_equal        both are numbers, and equal: separators, 万/亿, fractions, %, units
//   answer_equal        number_equal where the gold answer is a number, else text_equal
//   math_equal          equal in MATH's normal form (score/math_text.h), or as number_equal has it
//   holds_gold          the gold answer stands somewhere in the answer, both as text_equal has them
//   squad_exact, squad_f1, cmrc_exact, cmrc_f1, drop_exact, drop_f1,
//   rouge_1_char, rouge_2_char, rouge_l_char, bleu_char
//                       see score/overlap.h
//   gaokao_each, gaokao_multi, gaokao_questions
//                       GAOKAO-Bench: a letter for each question; half for a part of the options
//   lm_eval_exact       exact_match of lm-evaluation-harness's gsm8k tasks: without ",", "$",
//                       anything up to "#### ", a "." at the end, and whatever the case
//   lm_eval_plain       exact_match with ignore_case and ignore_punctuation
//   opencompass_number  |float(a) - int(b)| < 1e-6
//   law_articles_f1, prison_term, and labels_f1 or labels_alone with their labels
//                       see score/lawbench.h
//   cmath               any of the candidates: integers exactly, else within 1 %
// Two families look at the whole item, and score_item asks them itself: python_tests
// (score/code_tests.h) and ifeval_* (score/ifeval.h). They are Error(kUsage) here.
double grade(std::string_view rule,
             std::string_view answer,
             std::string_view gold,
             const std::vector<std::string>& accepted = {});

// Whether it is wholly right.
bool answers_match(std::string_view rule,
                   std::string_view answer,
                   std::string_view gold,
                   const std::vector<std::string>& accepted = {});

}  // namespace keju
