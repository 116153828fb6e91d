// SPDX-License-Identifier: MIT
// Extraction as other harnesses do it, so that their numbers can be compared with; each rule states
// the expression that it follows.
#include <utf8proc.h>

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "score/extract_rules.h"

namespace keju {
namespace {

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

Extraction at_place(std::string_view text, size_t begin, size_t end) {
  Extraction out;
  out.status = Extraction::Status::kExtracted;
  out.answer = std::string(text.substr(begin, end - begin));
  out.span = Extraction::Span{static_cast<int64_t>(count_code_points(text.substr(0, begin))),
                              static_cast<int64_t>(count_code_points(text.substr(0, end)))};
  return out;
}

// Length of a match of \-?[0-9\.\,]+ at `at`; 0 if there is none.
size_t number_run(std::string_view text, size_t at) {
  const size_t begin = at;
  if (at < text.size() && text[at] == '-') ++at;
  const size_t digits = at;
  at = std::min(text.find_first_not_of("0123456789.,", at), text.size());
  return at == digits ? 0 : at - begin;
}

}  // namespace

// for t in text: if t.isupper(): return t
Extraction first_capital(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LU) {
      return at_place(text, begin, at);
    }
  }
  return {};
}

// Every letter of the choices, in order, once each (AGIEval's reading of several right options)
Extraction capital_letters(std::string_view text, const std::vector<std::string>& choices) {
  std::string letters;
  for (const std::string& letter : choices) {
    if (text.find(letter) != std::string_view::npos) letters += letter;
  }
  if (letters.empty()) return {};
  return {Extraction::Status::kExtracted, letters, std::nullopt};
}

namespace {

// What stands behind the last "=", without spaces before it.
std::pair<size_t, size_t> behind_equals(std::string_view text, size_t begin, size_t end) {
  const size_t equals = text.substr(0, end).rfind('=');
  if (equals == std::string_view::npos || equals < begin) return {begin, end};
  const size_t from = text.find_first_not_of(' ', equals + 1);
  return {std::min(from, end), end};
}

// Begin and end of the content of the last \boxed{…}; nothing if there is none that closes.
std::optional<std::pair<size_t, size_t>> last_boxed(std::string_view text) {
  constexpr std::string_view kMark = "\\boxed{";
  const size_t mark = text.rfind(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  int depth = 1;
  for (size_t at = mark + kMark.size(); at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return std::pair{mark + kMark.size(), at};
  }
  return std::nullopt;
}

}  // namespace

// parse_math_answer: \boxed{}; else \$(.*)\$ of the last line that has one, behind its last "=";
// else behind the text's last "=", up to the line's end; else (?:\$)?\d+(?:\.\d+)?(?![\w\d]), the
// last match
Extraction agieval_cloze(std::string_view text) {
  if (const auto box = last_boxed(text)) return at_place(text, box->first, box->second);
  size_t end = text.size();
  while (true) {
    const size_t line = text.substr(0, end).rfind('\n');
    const size_t begin = line == std::string_view::npos ? 0 : line + 1;
    const size_t open = text.find('$', begin), close = text.substr(0, end).rfind('$');
    if (open < end && close != std::string_view::npos && close > open) {
      const auto [from, to] = behind_equals(text, open + 1, close);
      if (from < to) return at_place(text, from, to);
      break;
    }
    if (line == std::string_view::npos) break;
    end = line;
  }
  const size_t equals = text.rfind('=');
  if (equals != std::string_view::npos) {
    const size_t from = std::min(text.find_first_not_of(' ', equals + 1), text.size());
    size_t to = std::min(text.find('\n', from), text.size());
    while (to > from && text[to - 1] == '.') --to;
    return from < to ? at_place(text, from, to) : Extraction{};
  }
  return by_patterns("last:((?:\\$)?\\d+(?:\\.\\d+)?(?![\\w\\d]))", text);
}

// 答案：([A-D]), the last match
Extraction answer_letter_colon(std::string_view text, const std::vector<std::string>& choices) {
  constexpr std::string_view kCue = "答案：";
  for (size_t at = text.rfind(kCue); at != std::string_view::npos; at = text.rfind(kCue, at - 1)) {
    const size_t begin = at + kCue.size();
    for (const std::string& letter : choices) {
      if (text.substr(begin).starts_with(letter)) {
        return at_place(text, begin, begin + letter.size());
      }
    }
    if (at == 0) break;
  }
  return {};
}

// #### (\-?[0-9\.\,]+), the first match
Extraction gsm8k_strict(std::string_view text) {
  constexpr std::string_view kCue = "#### ";
  for (size_t at = text.find(kCue); at != std::string_view::npos; at = text.find(kCue, at + 1)) {
    const size_t begin = at + kCue.size();
    if (const size_t length = number_run(text, begin)) return at_place(text, begin, begin + length);
  }
  return {};
}

// The answer is (\-?[0-9\.\,]+). — the first match; the last "." stands for any character but a
// line break, so the run gives its last character back where nothing else follows.
Extraction gsm8k_cot_strict(std::string_view text) {
  constexpr std::string_view kCue = "The answer is ";
  for (size_t at = text.find(kCue); at != std::string_view::npos; at = text.find(kCue, at + 1)) {
    const size_t begin = at + kCue.size();
    size_t length = number_run(text, begin);
    if (length == 0) continue;
    if (begin + length == text.size() || text[begin + length] == '\n') {
      const size_t least = text[begin] == '-' ? 2 : 1;
      if (length-- == least) continue;
    }
    return at_place(text, begin, begin + length);
  }
  return {};
}

// (-?[$0-9.,]{2,})|(-?[0-9]+), the last match, stripped
Extraction gsm8k_flexible(std::string_view text) {
  std::optional<std::pair<size_t, size_t>> last;
  for (size_t at = 0; at < text.size();) {
    const size_t run = at + (text[at] == '-' ? 1 : 0);
    const size_t end = std::min(text.find_first_not_of("$0123456789.,", run), text.size());
    const bool long_run = end >= run + 2;
    if (long_run || (end == run + 1 && is_digit(static_cast<unsigned char>(text[run])))) {
      last = {at, end};
      at = end;
    } else {
      ++at;
    }
  }
  return last.has_value() ? at_place(text, last->first, last->second) : Extraction{};
}

// text.split('Question:')[0], then the last of \-?\d+\.\d+|\-?\d+
Extraction opencompass_last_number(std::string_view text) {
  text = text.substr(0, text.find("Question:"));
  std::optional<std::pair<size_t, size_t>> last;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + (text[at] == '-' ? 1 : 0);
    const size_t digits = end;
    while (end < text.size() && is_digit(static_cast<unsigned char>(text[end]))) ++end;
    if (end == digits) {
      ++at;
      continue;
    }
    if (end + 1 < text.size() && text[end] == '.' &&
        is_digit(static_cast<unsigned char>(text[end + 1]))) {
      ++end;
      while (end < text.size() && is_digit(static_cast<unsigned char>(text[end]))) ++end;
    }
    last = {at, end};
    at = end;
  }
  return last.has_value() ? at_place(text, last->first, last->second) : Extraction{};
}

}  // namespace keju
