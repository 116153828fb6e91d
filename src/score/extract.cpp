// SPDX-License-Identifier: MIT
#include "score/extract.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "score/extract_rules.h"
#include "score/numbers.h"
#include "suite/rules.h"

namespace keju {
namespace {

// Where the text behind the last of `cues` begins; npos if none occurs.
size_t behind_last(std::string_view text, std::initializer_list<std::string_view> cues) {
  size_t best = std::string_view::npos;
  for (const std::string_view cue : cues) {
    const size_t at = text.rfind(cue);
    if (at == std::string_view::npos) continue;
    if (best == std::string_view::npos || at + cue.size() > best) best = at + cue.size();
  }
  return best;
}

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Trims white space and the marks that wrap an answer ("**25**", "$25$", "「东京」").
std::pair<size_t, size_t> trimmed(std::string_view text, size_t begin, size_t end) {
  constexpr std::array<std::string_view, 19> kWrap = {" ",
                                                      "\t",
                                                      "\r",
                                                      "\n",
                                                      "*",
                                                      "`",
                                                      "\"",
                                                      "'",
                                                      "「",
                                                      "」",
                                                      "“",
                                                      "”",
                                                      "《",
                                                      "》",
                                                      "。",
                                                      "，",
                                                      ",",
                                                      ":",
                                                      ";"};
  bool moved = true;
  while (moved && begin < end) {
    moved = false;
    for (const std::string_view mark : kWrap) {
      const std::string_view body = text.substr(begin, end - begin);
      if (body.starts_with(mark)) {
        begin += mark.size();
        moved = true;
      } else if (body.ends_with(mark)) {
        end -= mark.size();
        moved = true;
      }
      if (begin >= end) break;
    }
    if (begin < end && text[end - 1] == '.') {
      --end;
      moved = true;
    }
  }
  return {begin, std::max(begin, end)};
}

// The end of the clause that begins at `begin`: a line break, 。or a full stop that ends a word.
size_t clause_end(std::string_view text, size_t begin) {
  size_t end = std::min(text.find('\n', begin), text.size());
  end = std::min(end, text.find("。", begin));
  for (size_t at = text.find('.', begin); at < end; at = text.find('.', at + 1)) {
    if (at + 1 == text.size() || text[at + 1] == ' ' || text[at + 1] == '\n') return at;
  }
  return end;
}

}  // namespace

std::string_view name(Extraction::Status status) {
  switch (status) {
    case Extraction::Status::kExtracted:
      return "extracted";
    case Extraction::Status::kAmbiguous:
      return "ambiguous";
    case Extraction::Status::kNone:
      return "none";
  }
  return "none";
}

Extraction found(const FoldedText& text, size_t begin, size_t end, std::string answer) {
  return {Extraction::Status::kExtracted, std::move(answer), text.span(begin, end)};
}

Extraction last_number(const FoldedText& text) {
  const std::vector<FoundNumber> numbers = find_numbers(text.text());
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (!number->list_marker) return found(text, number->begin, number->end, number->value);
  }
  return {};
}

Extraction number_after_answer(const FoldedText& text) {
  const std::string lower = lowered(text.text());
  const size_t begin =
      behind_last(lower, {"答案", "答:", "answer is", "answer:", "answer：", "####"});
  if (begin == std::string::npos) return {};
  for (const FoundNumber& number : find_numbers(text.text())) {
    if (number.begin >= begin) return found(text, number.begin, number.end, number.value);
  }
  return {};
}

Extraction hash_number(const FoldedText& text) {
  constexpr std::string_view kMark = "####";
  const std::string& body = text.text();
  const std::vector<FoundNumber> numbers = find_numbers(body);
  for (size_t at = body.find(kMark); at != std::string::npos; at = body.find(kMark, at + 1)) {
    const size_t begin = body.find_first_not_of(" *", at + kMark.size());
    const auto number = std::lower_bound(
        numbers.begin(), numbers.end(), begin, [](const FoundNumber& each, size_t at_least) {
          return each.begin < at_least;
        });
    if (number != numbers.end() && number->begin == begin) {
      return found(text, number->begin, number->end, number->value);
    }
  }
  return {};
}

Extraction final_answer(const FoldedText& text) {
  const std::string& body = text.text();
  size_t begin = behind_last(lowered(body), {"answer is", "答案是", "答案为", "answer:", "答案:"});
  if (begin == std::string::npos) return {};
  begin = std::min(body.find_first_not_of(" :", begin), body.size());
  const auto [from, to] = trimmed(body, begin, clause_end(body, begin));
  if (from == to) return {};
  return found(text, from, to, body.substr(from, to - from));
}

Extraction boxed(const FoldedText& text) {
  constexpr std::string_view kMark = "\\boxed{";
  const std::string& body = text.text();
  const size_t mark = body.rfind(kMark);
  if (mark == std::string::npos) return {};
  const size_t begin = mark + kMark.size();
  int depth = 1;
  size_t end = begin;
  for (; end < body.size(); ++end) {
    if (body[end] == '{') ++depth;
    if (body[end] == '}' && --depth == 0) break;
  }
  if (depth != 0) return {};
  const std::string content(python_strip(std::string_view(body).substr(begin, end - begin)));
  if (content.empty()) return {};
  return found(text, begin, end, parse_number(content).value_or(content));
}

Extraction first_line(const FoldedText& text) {
  const std::string& body = text.text();
  const size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  size_t end = std::min(body.find('\n', begin), body.size());
  while (end > begin && (body[end - 1] == ' ' || body[end - 1] == '\r' || body[end - 1] == '\t'))
    --end;
  return found(text, begin, end, body.substr(begin, end - begin));
}

Extraction whole_text(const FoldedText& text) {
  const std::string& body = text.text();
  const size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  const size_t end = body.find_last_not_of(" \t\r\n") + 1;
  return found(text, begin, end, body.substr(begin, end - begin));
}

Extraction extract(std::string_view rule,
                   std::string_view text,
                   const std::vector<std::string>& choices) {
  std::vector<std::string> letters = choices;
  if (letters.empty()) letters = {"A", "B", "C", "D"};

  if (rule == "raw_text") {
    return {Extraction::Status::kExtracted,
            std::string(text),
            Extraction::Span{0, static_cast<int64_t>(count_code_points(text))}};
  }
  if (rule == "first_capital") return first_capital(text);
  if (rule == "answer_letter_colon") return answer_letter_colon(text, letters);
  if (rule == "gsm8k_strict") return gsm8k_strict(text);
  if (rule == "gsm8k_flexible") return gsm8k_flexible(text);
  if (rule == "gsm8k_cot_strict") return gsm8k_cot_strict(text);
  if (rule == "opencompass_last_number") return opencompass_last_number(text);
  if (rule == "opencompass_option") return opencompass_option(text, letters);
  if (rule == "cmath") return cmath_candidates(text);
  if (rule == "agieval_cloze") return agieval_cloze(text);
  if (rule == "capital_letters") return capital_letters(text, letters);
  if (rule == "gaokao_single") return gaokao_single(text);
  if (rule == "gaokao_questions") return gaokao_questions(text);
  if (rule == "gaokao_multi") return gaokao_multi(text);
  if (rule == "gaokao_five") return gaokao_five(text);
  if (!pattern_steps(rule).empty()) return by_patterns(rule, text);

  const FoldedText folded(text);
  if (rule == "choice_letter") return choice_letter(folded, letters);
  if (rule == "last_number") return last_number(folded);
  if (rule == "number_after_answer") return number_after_answer(folded);
  if (rule == "hash_number") return hash_number(folded);
  if (rule == "final_answer") return final_answer(folded);
  if (rule == "boxed") return boxed(folded);
  if (rule == "first_line") return first_line(folded);
  if (rule == "whole_text") return whole_text(folded);
  if (rule == "refusal") return refusal(folded);
  throw fail(Code::kUsage, "rule: unknown \"{}\"{}", rule, suggestion(rule, extract_rules()));
}

}  // namespace keju
