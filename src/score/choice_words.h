// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

// What the words around the letter of an option say of it, in Chinese and English: the grammar of
// the rule choice_letter. Pure functions over folded text.
namespace keju {

// kRight, kWrong: judged by itself, as others beside it may be. kAnswer: named as the one.
enum class Verdict { kNone, kRight, kWrong, kAnswer };

// By the words that follow the letter, its closing marks taken off.
Verdict verdict_behind(std::string_view after);

// Whether the words before a letter, in lower case and opening marks taken off, deny it ("不应选",
// "而非", "neither") or suppose it ("如果选").
bool denied_before(std::string_view before);

}  // namespace keju
