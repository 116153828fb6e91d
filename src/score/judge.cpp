// SPDX-License-Identifier: MIT
#include "score/judge.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/utf8.h"
#include "score/folded_text.h"
#include "suite/prompt.h"

namespace keju {
namespace {

std::optional<double> number_of(std::string_view text) {
  text = python_strip(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The content of the last pair of `open` and `close` around text without either.
std::optional<std::string_view> last_between(std::string_view text,
                                             std::string_view open,
                                             std::string_view close) {
  for (size_t end = text.rfind(close); end != std::string_view::npos && end > 0;
       end = text.rfind(close, end - 1)) {
    const size_t begin = text.rfind(open, end - 1);
    if (begin == std::string_view::npos) return std::nullopt;
    if (begin + open.size() <= end) {
      return text.substr(begin + open.size(), end - begin - open.size());
    }
  }
  return std::nullopt;
}

std::string_view unquoted(std::string_view text) {
  text = python_strip(text);
  for (const std::string_view mark : {"'", "\"", "“", "”", "‘", "’", "`"}) {
    if (text.starts_with(mark)) text.remove_prefix(mark.size());
    if (text.ends_with(mark)) text.remove_suffix(mark.size());
  }
  return text;
}

// {'事实正确性': 9, '综合得分': 7}: what is no pair of a name and a number makes it none.
std::vector<std::pair<std::string, double>> score_map(std::string_view body) {
  std::vector<std::pair<std::string, double>> out;
  while (!body.empty()) {
    size_t end = body.find(','), width = 1;
    const size_t wide = body.find("，");
    if (wide < end) {
      end = wide;
      width = std::string_view("，").size();
    }
    std::string_view entry = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + width);
    if (python_strip(entry).empty()) continue;
    const size_t colon = entry.rfind(':');
    if (colon == std::string_view::npos) return {};
    const std::optional<double> value = number_of(unquoted(entry.substr(colon + 1)));
    if (!value.has_value()) return {};
    out.emplace_back(unquoted(entry.substr(0, colon)), *value);
  }
  return out;
}

std::optional<Judgement> from_map(const JudgeRules& rules, std::string_view text) {
  const std::optional<std::string_view> body = last_between(text, "{", "}");
  if (!body.has_value()) return std::nullopt;
  Judgement out;
  bool found = false;
  for (auto& [name, value] : score_map(*body)) {
    if (name == rules.total) {
      out.score = value;
      found = true;
    } else {
      out.parts.emplace_back(name, value);
    }
  }
  if (!found) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Judgement> read_judgement(const JudgeRules& rules, std::string_view original) {
  const FoldedText folded(original);
  const std::string_view text = folded.text();
  std::optional<Judgement> out;
  if (const std::optional<double> bare = number_of(text)) {
    out = Judgement{*bare, {}};
  } else if (rules.read == JudgeRules::Read::kScoreMap) {
    out = from_map(rules, text);
  } else if (const auto body = last_between(text, "[[", "]]")) {
    if (const std::optional<double> rating = number_of(*body)) out = Judgement{*rating, {}};
  }
  if (!out.has_value()) return std::nullopt;
  const auto inside = [&](double v) { return v >= rules.lowest && v <= rules.highest; };
  if (!inside(out->score)) return std::nullopt;
  for (const auto& [name, value] : out->parts) {
    if (!inside(value)) return std::nullopt;
  }
  return out;
}

std::optional<Winner> read_winner(std::string_view original) {
  const FoldedText folded(original);
  const std::string_view text = folded.text();
  const std::string_view verdict = last_between(text, "[[", "]]").value_or(python_strip(text));
  if (verdict == "A") return Winner::kA;
  if (verdict == "B") return Winner::kB;
  if (verdict == "C" || verdict == "tie" || verdict == "Tie" || verdict == "平局") {
    return Winner::kTie;
  }
  return std::nullopt;
}

Winner of_both_orders(Winner first, Winner second) {
  if (first == Winner::kA && second == Winner::kB) return Winner::kA;
  if (first == Winner::kB && second == Winner::kA) return Winner::kB;
  return Winner::kTie;
}

Winner majority(const std::vector<Winner>& votes) {
  std::array<int64_t, 3> counts = {};
  for (const Winner vote : votes) ++counts[static_cast<size_t>(vote)];
  const auto top = std::max_element(counts.begin(), counts.end());
  if (std::count(counts.begin(), counts.end(), *top) > 1) return Winner::kTie;
  return static_cast<Winner>(top - counts.begin());
}

std::string judge_prompt(const std::string& source, const std::string& where, const Json& values) {
  return PromptTemplate({source, where}).render(values);
}

}  // namespace keju
