// SPDX-License-Identifier: MIT
#include "suite/rules.h"

namespace keju {

const std::vector<std::string>& extract_rules() {
  static const std::vector<std::string> rules = {
      "answer_letter_colon",
      "boxed",
      "choice_letter",
      "cmath",
      "final_answer",
      "first_capital",
      "first_line",
      "gsm8k_cot_strict",
      "gsm8k_flexible",
      "gsm8k_strict",
      "hash_number",
      "last_number",
      "number_after_answer",
      "opencompass_last_number",
      "whole_text",
  };
  return rules;
}

const std::vector<std::string>& compare_rules() {
  static const std::vector<std::string> rules = {
      "answer_equal",
      "cmath",
      "letter_equal",
      "lm_eval_exact",
      "number_equal",
      "opencompass_number",
      "text_equal",
  };
  return rules;
}

}  // namespace keju
