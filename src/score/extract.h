// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// What a rule read out of a generated text. Nothing is ever guessed: two answers without a last
// word between them are ambiguous, and a text without one has none.
struct Extraction {
  enum class Status { kExtracted, kAmbiguous, kNone };
  struct Span {
    int64_t begin = 0, end = 0;  // code points of the text, end exclusive
  };

  Status status = Status::kNone;
  std::optional<std::string> answer;  // iff kExtracted; numbers as plain decimals
  std::optional<Span> span;           // where it stands, if at one place
};

std::string_view name(Extraction::Status status);  // "extracted", "ambiguous", "none"

// Reads an answer out of `text` by a rule of suite/rules.h. `choices` are the letters of the item
// (A to D if empty); only letter rules look at them. Errors: Error(kUsage) for an unknown rule.
//
//   choice_letter            the last letter that the text commits itself to
//   last_number              the last number; list markers and what follows a new question are none
//   number_after_answer      the first number behind the last "答案", "answer is" or "####"
//   hash_number              the number behind "####" (GSM8K)
//   final_answer             the words behind the last "the answer is" or "答案是"
//   boxed                    the content of the last \boxed{}
//   first_line, whole_text   as they say, without surrounding white space
//   raw_text                 the text, byte for byte, and always: programs, whose white space
//   counts refusal                  "refused" or "answered", by what the text says of itself; see
//                            score/extract_refusal.cpp
//   first_capital            OpenCompass first_capital_postprocess: the first upper-case character
//   answer_letter_colon      EvalScope: the last match of 答案：([A-D])
//   gsm8k_strict, gsm8k_flexible, gsm8k_cot_strict
//                            lm-evaluation-harness's filters of those tasks, raw
//   opencompass_last_number  gsm8k_postprocess, raw
//   opencompass_option       first_option_postprocess: its list of expressions, in order
//   capital_letters          every letter of the choices that the text holds
//   agieval_cloze            AGIEval's blanks: \boxed{}, else between dollars, else behind "=",
//   else the
//                            last number
//   gaokao_single, gaokao_multi, gaokao_questions, gaokao_five
//                            GAOKAO-Bench's four kinds of objective questions
//   first:PATTERN, last:PATTERN, first_stripped:PATTERN, last_stripped:PATTERN
//                            the first group of that match; several lines are tried in order
//   cmath                    utils.py of CMATH: the last two candidates, joined by " | "
// The own rules (above first_capital) first drop a thinking block, fold full-width forms, and stop
// where a new question or turn begins; the borrowed ones read the text as their authors do.
Extraction extract(std::string_view rule,
                   std::string_view text,
                   const std::vector<std::string>& choices = {});

}  // namespace keju
