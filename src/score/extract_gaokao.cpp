// SPDX-License-Identifier: MIT
// How GAOKAO-Bench reads its objective questions (Bench/bench_function.py), each rule with its
// expressions. Several questions of one item give one letter each.
#include <algorithm>

#include "base/utf8.h"
#include "score/extract_rules.h"

namespace keju {
namespace {

constexpr std::string_view kAnswer = "【答案】";

Extraction letters_found(std::string letters) {
  if (letters.empty()) return {};
  return {Extraction::Status::kExtracted, std::move(letters), std::nullopt};
}

std::string all_between(std::string_view text, char low, char high) {
  std::string out;
  for (const char c : text) {
    if (c >= low && c <= high) out += c;
  }
  return out;
}

std::string without_space(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (!is_python_space(next_code_point(text, at))) out += text.substr(begin, at - begin);
  }
  return out;
}

// The letter of 【答案】\s*[:：]*\s*[A-Z] where `text` stands behind the mark; 0 if none is there.
char strict_letter(std::string_view text) {
  text = python_lstrip(text);
  while (text.starts_with(":") || text.starts_with("：")) {
    text.remove_prefix(text.starts_with(":") ? 1 : std::string_view("：").size());
  }
  text = python_lstrip(text);
  return !text.empty() && text[0] >= 'A' && text[0] <= 'Z' ? text[0] : '\0';
}

}  // namespace

// [A-D], the last one
Extraction gaokao_single(std::string_view text) {
  const std::string letters = all_between(text, 'A', 'D');
  return letters.empty() ? Extraction{} : letters_found(letters.substr(letters.size() - 1));
}

// Every 【答案】\s*[:：]*\s*[A-Z]; behind the bar the first letter behind each 【答案】, for
// outputs where the first reading gives another number than there are questions.
Extraction gaokao_questions(std::string_view text) {
  std::string strict, loose;
  for (size_t at = text.find(kAnswer); at != std::string_view::npos;) {
    const size_t begin = at + kAnswer.size();
    at = text.find(kAnswer, begin);
    const std::string_view part =
        text.substr(begin, at == std::string_view::npos ? at : at - begin);
    if (const char letter = strict_letter(part)) strict += letter;
    const std::string letters = all_between(part, 'A', 'Z');
    if (!letters.empty()) loose += letters[0];
  }
  if (loose.empty()) return {};
  return letters_found(strict + "|" + loose);
}

// Letters behind 【答案】, where something stands before it; else those of the last ten characters.
Extraction gaokao_multi(std::string_view text) {
  const std::string plain = without_space(text);
  const size_t mark = plain.find(kAnswer);
  if (mark != std::string::npos && mark > 0) {
    return letters_found(all_between(std::string_view(plain).substr(mark), 'A', 'D'));
  }
  const std::u32string characters = to_u32(plain);
  const size_t from = characters.size() - std::min<size_t>(characters.size(), 10);
  return letters_found(all_between(to_utf8(characters.substr(from)), 'A', 'D'));
}

// The first five of [A-G]
Extraction gaokao_five(std::string_view text) {
  return letters_found(all_between(text, 'A', 'G').substr(0, 5));
}

}  // namespace keju
