// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

// How much of a reference text an answer holds, in [0, 1]. Pure functions; an empty side gives 0
// unless both are empty (1).
namespace keju {

// Clipped n-gram overlap by characters (code points without white space): F = 2PR / (P + R).
double rouge_n_char(std::string_view answer, std::string_view reference, int n);
// The longest common subsequence by characters, as F.
double rouge_l_char(std::string_view answer, std::string_view reference);
// BLEU by characters up to n = 4 with brevity penalty (Papineni et al. 2002), for one sentence:
// from n = 2 on counts are smoothed by one (Lin & Och 2004), or a short answer would always get 0.
double bleu_char(std::string_view answer, std::string_view reference);

// SQuAD: lower case, without ASCII punctuation and the articles a, an, the, by single spaces.
double squad_exact(std::string_view answer, std::string_view reference);
double squad_f1(std::string_view answer, std::string_view reference);  // bags of words

// CMRC 2018: lower case, without its list of marks; the F1 over the longest common run of tokens,
// where each CJK character is one and other runs are words.
double cmrc_exact(std::string_view answer, std::string_view reference);
double cmrc_f1(std::string_view answer, std::string_view reference);

// DROP: spans of the reference are parted by "\n"; words normalised, numbers as numbers; a number
// that differs makes a span's overlap 0; F1 rounded to two decimals as published.
double drop_exact(std::string_view answer, std::string_view reference);
double drop_f1(std::string_view answer, std::string_view reference);

}  // namespace keju
