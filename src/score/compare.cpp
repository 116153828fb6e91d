// SPDX-License-Identifier: MIT
#include "score/compare.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "score/folded_text.h"
#include "score/lawbench.h"
#include "score/math_text.h"
#include "score/numbers.h"
#include "score/overlap.h"
#include "suite/pattern.h"
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

// The capital letters of a text, sorted, once each.
std::string letter_set(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') out += c;
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool letters_equal(std::string_view answer, std::string_view gold) {
  const std::string letters = letter_set(gold);
  return !letters.empty() && letter_set(answer) == letters;
}

// Letters one by one; another number of them than there are questions earns nothing.
double gaokao_each(std::string_view answer, std::string_view gold) {
  if (answer.size() != gold.size() || gold.empty()) return 0;
  size_t right = 0;
  for (size_t i = 0; i < gold.size(); ++i) right += answer[i] == gold[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(gold.size());
}

// Two readings of the answer, "ABC|ABCD": the second one where the first has another number of
// letters than there are questions, cut to that number.
double gaokao_questions(std::string_view answer, std::string_view gold) {
  const size_t bar = std::min(answer.find('|'), answer.size());
  const std::string_view strict = answer.substr(0, bar);
  if (strict.size() == gold.size()) return gaokao_each(strict, gold);
  return gaokao_each(answer.substr(std::min(bar + 1, answer.size())).substr(0, gold.size()), gold);
}

// Half for a part of the right options without a wrong one.
double gaokao_multi(std::string_view answer, std::string_view gold) {
  if (answer == gold) return 1;
  const bool part = !answer.empty() && std::all_of(answer.begin(), answer.end(), [&](char c) {
    return gold.find(c) != std::string_view::npos;
  });
  return part ? 0.5 : 0;
}

// Lower case, without ASCII punctuation, white space off the ends.
std::string lm_eval_plain(std::string_view text) {
  std::string out = lowered(std::string(text));
  std::erase_if(out, [](char c) { return std::ispunct(static_cast<unsigned char>(c)) != 0; });
  return std::string(python_strip(out));
}

bool lm_eval_plain_equal(std::string_view answer, std::string_view gold) {
  return lm_eval_plain(answer) == lm_eval_plain(gold);
}

bool holds_gold(std::string_view answer, std::string_view gold) {
  const std::string words = plain(gold);
  return !words.empty() && plain(answer).find(words) != std::string::npos;
}

bool math_equal(std::string_view answer, std::string_view gold) {
  return math_form(answer) == math_form(gold) || number_equal(answer, gold);
}

using Grade = double (*)(std::string_view, std::string_view);

template <bool (*match)(std::string_view, std::string_view)>
double whole(std::string_view answer, std::string_view gold) {
  return match(answer, gold) ? 1 : 0;
}

bool lm_eval_exact(std::string_view answer, std::string_view gold) {
  return lm_eval_form(answer) == lm_eval_form(gold);
}

template <int n>
double rouge_n(std::string_view answer, std::string_view gold) {
  return rouge_n_char(answer, gold, n);
}

Grade find_rule(std::string_view rule) {
  static const std::map<std::string_view, Grade> rules = {
      {"answer_equal", whole<answer_equal>},
      {"bleu_char", bleu_char},
      {"cjrc_f1", cjrc_f1},
      {"cjrc_spans_f1", cjrc_spans_f1},
      {"cmath", whole<cmath>},
      {"cmrc_exact", cmrc_exact},
      {"cmrc_f1", cmrc_f1},
      {"drop_exact", drop_exact},
      {"drop_f1", drop_f1},
      {"gaokao_each", gaokao_each},
      {"gaokao_multi", gaokao_multi},
      {"gaokao_questions", gaokao_questions},
      {"holds_gold", whole<holds_gold>},
      {"law_articles_f1", law_articles_f1},
      {"letter_equal", whole<letter_equal>},
      {"letters_equal", whole<letters_equal>},
      {"lm_eval_exact", whole<lm_eval_exact>},
      {"lm_eval_plain", whole<lm_eval_plain_equal>},
      {"math_equal", whole<math_equal>},
      {"number_equal", whole<number_equal>},
      {"opencompass_number", whole<opencompass_number>},
      {"prison_term", prison_term},
      {"rouge_1_char", rouge_n<1>},
      {"rouge_2_char", rouge_n<2>},
      {"rouge_l_char", rouge_l_char},
      {"squad_exact", squad_exact},
      {"squad_f1", squad_f1},
      {"text_equal", whole<text_equal>},
  };
  const auto found = rules.find(rule);
  if (found != rules.end()) return found->second;
  if (rule == "python_tests" || rule.starts_with("ifeval_")) {
    throw fail(Code::kUsage, "compare: {}: needs an item of its suite, not two answers", rule);
  }
  throw fail(
      Code::kUsage, "compare: unknown rule \"{}\"{}", rule, suggestion(rule, compare_rules()));
}

// lm-evaluation-harness 0.4.13, exact_match_hf_evaluate.
bool exact_match(const ExactMatch& rule, std::string_view answer, std::string_view gold) {
  const auto form = [&](std::string_view text) {
    std::string out(text);
    for (const std::string& pattern : rule.ignore) {
      out = Pattern(pattern, "compare").replace(out, "");
    }
    if (rule.ignore_case) out = lowered(out);
    std::erase_if(out, [&](char c) {
      const bool mark = std::ispunct(static_cast<unsigned char>(c)) != 0;
      return (rule.ignore_punctuation && mark) || (rule.ignore_numbers && c >= '0' && c <= '9');
    });
    return out;
  };
  return form(answer) == form(gold);
}

}  // namespace

double grade(std::string_view rule,
             std::string_view answer,
             std::string_view gold,
             const std::vector<std::string>& accepted) {
  if (const std::optional<ExactMatch> exact = exact_match_rule(rule)) {
    const bool right = exact_match(*exact, answer, gold) ||
                       std::any_of(accepted.begin(), accepted.end(), [&](const std::string& other) {
                         return exact_match(*exact, answer, other);
                       });
    return right ? 1 : 0;
  }
  if (const std::optional<LabelSet> labels = label_rule(rule)) {
    return label_grade(*labels, answer, gold);
  }
  const Grade by = find_rule(rule);
  double best = by(answer, gold);
  for (const std::string& other : accepted) best = std::max(best, by(answer, other));
  return best;
}

bool answers_match(std::string_view rule,
                   std::string_view answer,
                   std::string_view gold,
                   const std::vector<std::string>& accepted) {
  return grade(rule, answer, gold, accepted) == 1;
}

}  // namespace keju
