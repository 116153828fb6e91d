// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "suite/rules.h"

// LawBench's own metrics, each in [0, 1] (open-compass/LawBench, evaluation/evaluation_functions).
namespace keju {

// The labels that stand in the answer against those of the gold answer, which ";" joins: F1 of the
// two sets, or whether the one gold label stands there alone. kEntities: the gold answer is
// "kind:words;kind:words", the answer's words for a kind stand behind "kind:" up to a space or the
// line's end, the last mention counts unless it says 无 or 未提及; P and R are the kinds' cjrc_f1
// over the kinds that the answer, and the gold answer, names.
double label_grade(const LabelSet& labels, std::string_view answer, std::string_view gold);

// F1 of the bags of characters, letters and digits alone in lower case (CJRC, CAIL 2021): 1 where
// both have none.
double cjrc_f1(std::string_view answer, std::string_view gold);

// Spans that ";" parts, the first against the first and so on by cjrc_f1; P over the answer's
// spans, R over the gold answer's.
double cjrc_spans_f1(std::string_view answer, std::string_view gold);

// Articles of the Criminal Law: F1 of the numbers in the parts that "、" makes, the first of each
// part, against the gold numbers, which "、" joins. What reads "第…款" is taken out first, an
// article before it in the same breath included, as the repository does.
double law_articles_f1(std::string_view answer, std::string_view gold);

// A prison term in months: 1 - |ln(gold + 1) - ln(answer + 1)| / ln 216, not below 0, which is also
// what an answer without a term gets. The first "个月" counts, else the first "月", else the first
// "年": years before months are not added up, as in the repository.
double prison_term(std::string_view answer, std::string_view gold);

}  // namespace keju
