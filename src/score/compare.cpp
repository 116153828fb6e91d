// SPDX-License-Identifier: MIT
#include "score/compare.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "score/folded_text.h"
#include "score/numbers.h"
#include "suite/rules.h"

namespace keju {
namespace {

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

void erase_all(std::string& text, std::string_view what) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.erase(at, what.size());
  }
}

// One width, one case, single spaces, no marks at the ends.
std::string plain(std::string_view text) {
  constexpr std::array<std::string_view, 14> kMarks = {
      "*", "`", "\"", "'", "“", "”", "「", "」", "《", "》", "。", ".", "!", "$"};
  const std::string folded = lowered(FoldedText(text).text());
  std::string_view body = python_strip(folded);
  for (bool moved = true; moved && !body.empty();) {
    moved = false;
    for (const std::string_view mark : kMarks) {
      if (body.starts_with(mark)) {
        body.remove_prefix(mark.size());
        moved = true;
      } else if (body.ends_with(mark)) {
        body.remove_suffix(mark.size());
        moved = true;
      }
    }
    body = python_strip(body);
  }
  std::string out;
  for (const char c : body) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (space && !out.empty() && out.back() == ' ') continue;
    out += space ? ' ' : c;
  }
  return out;
}

bool text_equal(std::string_view answer, std::string_view gold) {
  return plain(answer) == plain(gold);
}

bool number_equal(std::string_view answer, std::string_view gold) {
  const auto left = parse_number(FoldedText(answer).text());
  const auto right = parse_number(FoldedText(gold).text());
  return left.has_value() && right.has_value() && same_number(*left, *right);
}

bool answer_equal(std::string_view answer, std::string_view gold) {
  if (text_equal(answer, gold)) return true;
  return number_equal(answer, gold);
}

bool letter_equal(std::string_view answer, std::string_view gold) {
  return lowered(std::string(answer)) == lowered(std::string(gold));
}

// regexes_to_ignore in order: , then \$ then (?s).*####␠ then \.$; then lower case.
std::string lm_eval_form(std::string_view text) {
  constexpr std::string_view kMark = "#### ";
  std::string out(text);
  erase_all(out, ",");
  erase_all(out, "$");
  const size_t mark = out.rfind(kMark);
  if (mark != std::string::npos) out.erase(0, mark + kMark.size());
  if (out.ends_with('.')) {
    out.pop_back();
  } else if (out.ends_with(".\n")) {
    out.erase(out.size() - 2, 1);
  }
  return lowered(out);
}

std::optional<double> to_double(std::string_view text) {
  text = python_strip(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool opencompass_number(std::string_view answer, std::string_view gold) {
  std::string separators(gold);
  erase_all(separators, ",");
  const std::optional<double> left = to_double(answer), right = to_double(separators);
  return left.has_value() && right.has_value() && std::fabs(*left - *right) < 1e-6;
}

struct CmathNumber {
  double value = 0;
  bool integer = false;
};

std::optional<CmathNumber> cmath_number(std::string_view text) {
  text = python_strip(text);
  if (text.ends_with('%')) {
    const std::optional<double> value = to_double(text.substr(0, text.size() - 1));
    if (!value.has_value()) return std::nullopt;
    return CmathNumber{*value / 100, false};
  }
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::optional<double> top = to_double(text.substr(0, slash));
    const std::optional<double> bottom = to_double(text.substr(slash + 1));
    if (!top.has_value() || !bottom.has_value()) return std::nullopt;
    if (*bottom == 0) return CmathNumber{0, true};
    return CmathNumber{*top / *bottom, false};
  }
  const std::optional<double> value = to_double(text);
  if (!value.has_value()) return std::nullopt;
  return CmathNumber{*value, text.find('.') == std::string_view::npos};
}

bool cmath(std::string_view answer, std::string_view gold) {
  const std::optional<CmathNumber> right = cmath_number(gold);
  if (!right.has_value()) return false;
  constexpr std::string_view kBetween = " | ";
  while (true) {
    const size_t end = answer.find(kBetween);
    const std::optional<CmathNumber> left = cmath_number(answer.substr(0, end));
    if (left.has_value()) {
      const double least = std::min(std::fabs(left->value), std::fabs(right->value));
      const bool exact = left->integer && right->integer;
      if (exact ? left->value == right->value
                : std::fabs(left->value - right->value) / (least + 1e-6) < 1e-2) {
        return true;
      }
    }
    if (end == std::string_view::npos) return false;
    answer.remove_prefix(end + kBetween.size());
  }
}

using Match = bool (*)(std::string_view, std::string_view);

Match find_rule(std::string_view rule) {
  if (rule == "letter_equal") return letter_equal;
  if (rule == "text_equal") return text_equal;
  if (rule == "number_equal") return number_equal;
  if (rule == "answer_equal") return answer_equal;
  if (rule == "opencompass_number") return opencompass_number;
  if (rule == "cmath") return cmath;
  if (rule == "lm_eval_exact") {
    return
        [](std::string_view a, std::string_view b) { return lm_eval_form(a) == lm_eval_form(b); };
  }
  throw fail(
      Code::kUsage, "compare: unknown rule \"{}\"{}", rule, suggestion(rule, compare_rules()));
}

}  // namespace

bool answers_match(std::string_view rule,
                   std::string_view answer,
                   std::string_view gold,
                   const std::vector<std::string>& accepted) {
  const Match match = find_rule(rule);
  if (match(answer, gold)) return true;
  return std::any_of(accepted.begin(), accepted.end(), [&](const std::string& other) {
    return match(answer, other);
  });
}

}  // namespace keju
