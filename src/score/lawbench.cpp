// SPDX-License-Identifier: MIT
#include "score/lawbench.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "score/ifeval_text.h"
#include "suite/pattern.h"

namespace keju {
namespace {

std::set<std::string> split(std::string_view text, std::string_view mark) {
  std::set<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(mark), text.size());
    const std::string_view part = python_strip(text.substr(0, end));
    if (!part.empty()) out.emplace(part);
    text.remove_prefix(std::min(end + mark.size(), text.size()));
  }
  return out;
}

double f1(const std::set<std::string>& said, const std::set<std::string>& gold) {
  const auto both = static_cast<double>(std::count_if(
      said.begin(), said.end(), [&](const std::string& each) { return gold.count(each) > 0; }));
  if (both == 0) return 0;
  // 2PR / (P + R) = 2·both / (|said| + |gold|)
  return 2 * both / static_cast<double>(said.size() + gold.size());
}

#define KEJU_DIGITS "([0-9]+|[零〇一二三四五六七八九十百千万]+)"

// What KEJU_DIGITS matched as a number: 264, 二百六十四, 二六四.
int64_t integer(std::string_view text) {
  constexpr std::u32string_view kDigits = U"零一二三四五六七八九";
  constexpr int64_t kMost = int64_t{1} << 40;  // beyond any article and term
  int64_t whole = 0, section = 0, digit = 0;
  bool spoken = false;  // a digit stands alone before a unit: "十" is 10, "二十" is 20
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    const size_t value = c == U'〇' ? 0 : kDigits.find(c);
    const int64_t unit = c == U'十' ? 10 : c == U'百' ? 100 : c == U'千' ? 1000 : 0;
    if (c >= '0' && c <= '9') {
      digit = std::min(kMost, digit * 10 + (c - '0'));
    } else if (value != std::u32string_view::npos) {
      digit = std::min(kMost, digit * 10 + static_cast<int64_t>(value));
      spoken = true;
    } else if (unit > 0) {
      section += unit * (spoken ? digit : 1);
      digit = 0;
      spoken = false;
    } else {  // 万
      whole = std::min(kMost, whole + (section + digit) * 10000);
      section = digit = 0;
      spoken = false;
    }
  }
  return std::min(kMost, whole + section + digit);
}

std::optional<int64_t> first_number(const Pattern& pattern, std::string_view text) {
  const auto match = pattern.find(text);
  if (!match.has_value()) return std::nullopt;
  return integer(text.substr(match->begin, match->end - match->begin));
}

// "第X条" becomes "X".
std::string without_article_marks(std::string text) {
  static const Pattern article("第(.*?)条", "law_articles_f1");
  std::string out;
  size_t at = 0;
  for (auto match = article.find(text); match.has_value(); match = article.find(text, at)) {
    out += text.substr(at, match->whole_begin - at);
    if (match->begin != match->whole_begin)
      out += text.substr(match->begin, match->end - match->begin);
    at = match->whole_end;
  }
  return out + text.substr(at);
}

// Python's str.isalpha() or str.isdigit(): letters, decimal digits, and digits in circles, raised
// and the like.
#define KEJU_LETTERS                                                                            \
  "[\\p{L}\\p{Nd}\\x{b2}\\x{b3}\\x{b9}\\x{1369}-\\x{1371}\\x{19da}\\x{2070}\\x{2074}-\\x{2079}" \
  "\\x{2080}-\\x{2089}\\x{2460}-\\x{2468}\\x{2474}-\\x{247c}\\x{2488}-\\x{2490}\\x{24ea}"       \
  "\\x{24f5}-\\x{24fd}\\x{24ff}\\x{2776}-\\x{277e}\\x{2780}-\\x{2788}\\x{278a}-\\x{2792}]"

std::map<char32_t, int64_t> letters(std::string_view text) {
  static const Pattern letter(KEJU_LETTERS, "cjrc_f1");
  const std::string lower = python_lower(text);
  std::map<char32_t, int64_t> out;
  size_t at = 0;
  for (auto match = letter.find(lower); match.has_value(); match = letter.find(lower, at)) {
    size_t begin = match->whole_begin;
    ++out[next_code_point(lower, begin)];
    at = match->whole_end;
  }
  return out;
}

#undef KEJU_LETTERS

int64_t total(const std::map<char32_t, int64_t>& bag) {
  int64_t sum = 0;
  for (const auto& [letter, count] : bag) sum += count;
  return sum;
}

// 2PR / (P + R) of P = sum / said and R = sum / gold; the repository's guard against a division by
// zero, 1e-10 in the divisor, is left out.
double soft_f1(double sum, size_t said, size_t gold) {
  return 2 * sum / static_cast<double>(said + gold);
}

std::vector<std::string_view> parts_of(std::string_view text, char mark) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t end = text.find(mark);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::map<std::string_view, std::string_view> gold_entities(std::string_view gold) {
  std::map<std::string_view, std::string_view> out;
  if (python_strip(gold).empty()) return out;
  for (const std::string_view part : parts_of(gold, ';')) {
    const std::vector<std::string_view> sides = parts_of(part, ':');
    out[sides[0]] = sides.size() > 1 ? sides[1] : std::string_view();
  }
  return out;
}

// A mention with fewer than three characters behind it, the colon among them, does not count.
std::map<std::string_view, std::string_view> said_entities(const std::vector<std::string>& kinds,
                                                           std::string_view answer) {
  std::map<std::string_view, std::string_view> out;
  for (const std::string& kind : kinds) {
    for (size_t at = answer.find(kind); at != std::string_view::npos;) {
      std::string_view rest = answer.substr(at + kind.size());
      at = answer.find(kind, at + kind.size());
      if (count_code_points(rest) < 3) continue;
      const size_t mark = rest.starts_with(":") ? 1 : rest.starts_with("：") ? 3 : 0;
      if (mark == 0) continue;
      rest = python_strip(rest.substr(mark));
      rest = python_strip(rest.substr(0, rest.find_first_of("\n ")));
      if (rest != "无" && rest != "未提及") out[kind] = rest;
    }
  }
  return out;
}

double entities_f1(const LabelSet& kinds, std::string_view answer, std::string_view gold) {
  const auto meant = gold_entities(gold), said = said_entities(kinds.labels, answer);
  if (meant.empty()) return said.empty() ? 1 : 0;
  double sum = 0;
  for (const auto& [kind, words] : said) {
    const auto found = meant.find(kind);
    if (found != meant.end()) sum += cjrc_f1(words, found->second);
  }
  return soft_f1(sum, said.size(), meant.size());
}

}  // namespace

double cjrc_f1(std::string_view answer, std::string_view gold) {
  const auto said = letters(answer), meant = letters(gold);
  if (said.empty() || meant.empty()) return said.empty() && meant.empty() ? 1 : 0;
  int64_t same = 0;
  for (const auto& [letter, count] : said) {
    const auto found = meant.find(letter);
    if (found != meant.end()) same += std::min(count, found->second);
  }
  return 2 * static_cast<double>(same) / static_cast<double>(total(said) + total(meant));
}

double cjrc_spans_f1(std::string_view answer, std::string_view gold) {
  const std::vector<std::string_view> said = parts_of(answer, ';'), meant = parts_of(gold, ';');
  double sum = 0;
  for (size_t i = 0; i < std::min(said.size(), meant.size()); ++i) {
    sum += cjrc_f1(said[i], meant[i]);
  }
  return soft_f1(sum, said.size(), meant.size());
}

double label_grade(const LabelSet& labels, std::string_view answer, std::string_view gold) {
  if (labels.kind == LabelSet::Kind::kEntities) return entities_f1(labels, answer, gold);
  std::set<std::string> said;
  for (const std::string& label : labels.labels) {
    if (answer.find(label) != std::string_view::npos) said.insert(label);
  }
  const std::set<std::string> meant = split(gold, ";");
  if (labels.kind == LabelSet::Kind::kF1) return f1(said, meant);
  return said == meant && said.size() == 1 ? 1 : 0;
}

double law_articles_f1(std::string_view answer, std::string_view gold) {
  static const Pattern paragraph("第(.*?)款", "law_articles_f1"), money("万元", "law_articles_f1"),
      number(KEJU_DIGITS, "law_articles_f1");
  std::set<std::string> said;
  for (const std::string& part : split(answer, "、")) {
    const std::string text =
        without_article_marks(paragraph.replace(money.replace(part, "元"), ""));
    if (const auto value = first_number(number, text)) said.insert(std::to_string(*value));
  }
  return f1(said, split(gold, "、"));
}

double prison_term(std::string_view answer, std::string_view gold) {
  static const Pattern months(KEJU_DIGITS "个月", "prison_term"),
      month(KEJU_DIGITS "月", "prison_term"), years(KEJU_DIGITS "年", "prison_term");
  std::optional<double> said;
  for (const auto& [pattern, factor] :
       {std::pair{&months, 1.0}, std::pair{&month, 1.0}, std::pair{&years, 12.0}}) {
    const auto value = first_number(*pattern, answer);
    if (!value.has_value()) continue;
    said = factor * static_cast<double>(*value);
    break;
  }
  if (!said.has_value()) return 0;
  const double meant = std::strtod(std::string(gold).c_str(), nullptr);
  return std::max(0.0, 1 - std::abs(std::log(meant + 1) - std::log(*said + 1)) / std::log(216.0));
}

#undef KEJU_DIGITS

}  // namespace keju
