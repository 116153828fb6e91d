// SPDX-License-Identifier: MIT
// OpenCompass's first_option_postprocess (opencompass/utils/text_postprocessors.py, Apache-2.0): a
// list of expressions, tried in order on the stripped text. The first whose group (or, where that
// is empty, whose whole match) holds one of the options decides.
#include <array>
#include <map>
#include <vector>

#include "base/utf8.h"
#include "score/extract_rules.h"
#include "suite/pattern.h"

namespace keju {
namespace {

// "@" is the class of the option letters. The fourteenth is two of the list's in one: a comma is
// missing there, and published figures have that in them.
constexpr std::array kExpressions = {
    R"(答案是?\s*(@))",
    R"(答案是?\s*：\s*(@))",
    R"(答案是?\s*:\s*(@))",
    R"(答案选项应?该?是\s*(@))",
    R"(答案选项应?该?为\s*(@))",
    R"(答案应该?是\s*(@))",
    R"(答案应该?选\s*(@))",
    R"(答案选项为?\s*：\s*(@))",
    R"(答案选项为?\s+\(?\*?\*?(@)\*?\*?\)?)",
    R"(答案选项是?\s*:\s*(@))",
    R"(答案为\s*(@))",
    R"(答案选\s*(@))",
    R"(选择?\s*(@))",
    R"(故选?\s*(@)只有选?项?\s?(@)\s?是?对)",
    R"(只有选?项?\s?(@)\s?是?错)",
    R"(只有选?项?\s?(@)\s?不?正确)",
    R"(只有选?项?\s?(@)\s?错误)",
    R"(说法不?对选?项?的?是\s?(@))",
    R"(说法不?正确选?项?的?是\s?(@))",
    R"(说法错误选?项?的?是\s?(@))",
    R"((@)\s?是正确的)",
    R"((@)\s?是正确答案)",
    R"(选项\s?(@)\s?正确)",
    R"(所以答\s?(@))",
    R"(所以\s?(@[.。$]?$))",
    R"(所有\s?(@[.。$]?$))",
    R"([\s，：:,](@)[。，,\.]?$)",
    R"([\s，,：:][故即](@)[。\.]?$)",
    R"([\s，,：:]因此(@)[。\.]?$)",
    R"([是为。]\s?(@)[。\.]?$)",
    R"(因此\s?(@)[。\.]?$)",
    R"(显然\s?(@)[。\.]?$)",
    R"(答案是\s?(\S+)(?:。|$))",
    R"(答案应该是\s?(\S+)(?:。|$))",
    R"(答案为\s?(\S+)(?:。|$))",
    R"((?i)ANSWER\s*:\s*(@))",
    R"([Tt]he answer is:?\s+\(?(@)\)?)",
    R"([Tt]he answer is:?\s+\(?\*?\*?(@)\*?\*?\)?)",
    R"([Tt]he answer is option:?\s+\(?(@)\)?)",
    R"([Tt]he correct answer is:?\s+\(?(@)\)?)",
    R"([Tt]he correct answer is option:?\s+\(?(@)\)?)",
    R"([Tt]he correct answer is:?.*?boxed{(@)})",
    R"([Tt]he correct option is:?.*?boxed{(@)})",
    R"([Tt]he correct answer option is:?.*?boxed{(@)})",
    R"([Tt]he answer to the question is:?\s+\(?(@)\)?)",
    R"(^选项\s?(@))",
    R"(^(@)\s?选?项)",
    R"((\s|^)@[\s。，,：:\.$])",
    R"(1.\s?(.*?)$)",
    R"(1.\s?(@)[.。$]?$)",
    R"((@):)",
    R"((@))",
};

// Compiled once for each thread and set of letters.
const std::vector<Pattern>& patterns_of(const std::string& letters) {
  thread_local std::map<std::string, std::vector<Pattern>> known;
  std::vector<Pattern>& patterns = known[letters];
  if (!patterns.empty()) return patterns;
  for (const std::string_view expression : kExpressions) {
    std::string text = "(?s)";
    for (const char c : expression) text += c == '@' ? "[" + letters + "]" : std::string(1, c);
    patterns.emplace_back(text, "opencompass_option");
  }
  return patterns;
}

}  // namespace

Extraction opencompass_option(std::string_view text, const std::vector<std::string>& choices) {
  std::string letters;
  for (const std::string& choice : choices) letters += choice;
  const std::string_view body = python_strip(text);
  for (const Pattern& pattern : patterns_of(letters)) {
    const auto match = pattern.find(body);
    if (!match.has_value()) continue;
    const std::string_view read = body.substr(match->begin, match->end - match->begin);
    for (const std::string& choice : choices) {
      const size_t at = read.find(choice);
      if (at == std::string_view::npos) continue;
      const size_t begin = static_cast<size_t>(body.data() - text.data()) + match->begin + at;
      const auto from = static_cast<int64_t>(count_code_points(text.substr(0, begin)));
      return {Extraction::Status::kExtracted,
              choice,
              Extraction::Span{from, from + static_cast<int64_t>(count_code_points(choice))}};
    }
  }
  return {};
}

}  // namespace keju
