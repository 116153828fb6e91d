// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "score/extract.h"
#include "score/folded_text.h"

// The functions behind the names of extract(); see there.
namespace keju {

Extraction found(const FoldedText& text, size_t begin, size_t end, std::string answer);

// Own rules.
Extraction choice_letter(const FoldedText& text, const std::vector<std::string>& choices);
Extraction last_number(const FoldedText& text);
Extraction number_after_answer(const FoldedText& text);
Extraction hash_number(const FoldedText& text);
Extraction final_answer(const FoldedText& text);
Extraction boxed(const FoldedText& text);
Extraction first_line(const FoldedText& text);
Extraction whole_text(const FoldedText& text);
Extraction refusal(const FoldedText& text);

// Borrowed rules read the original.
Extraction first_capital(std::string_view text);
Extraction answer_letter_colon(std::string_view text, const std::vector<std::string>& choices);
Extraction gsm8k_strict(std::string_view text);
Extraction gsm8k_flexible(std::string_view text);
Extraction gsm8k_cot_strict(std::string_view text);
Extraction opencompass_last_number(std::string_view text);
Extraction opencompass_option(std::string_view text, const std::vector<std::string>& choices);
Extraction cmath_candidates(std::string_view text);
Extraction capital_letters(std::string_view text, const std::vector<std::string>& choices);
Extraction agieval_cloze(std::string_view text);
Extraction gaokao_single(std::string_view text);
Extraction gaokao_questions(std::string_view text);
Extraction gaokao_multi(std::string_view text);
Extraction gaokao_five(std::string_view text);
Extraction by_patterns(std::string_view rule, std::string_view text);

}  // namespace keju
