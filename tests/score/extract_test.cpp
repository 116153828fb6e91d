// SPDX-License-Identifier: MIT
// The labelled table of outputs. Own rules are labelled by reading; the borrowed ones by running
// the expressions that they follow with Python 3.11's re.
#include "score/extract.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "suite/rules.h"

namespace keju {
namespace {

TEST(Extract, LabelledTable) {
  std::ifstream file("tests/score/extract_cases.jsonl");
  struct Tally {
    int cases = 0, extracted = 0, expected = 0, right = 0;
  };
  std::map<std::string, Tally> tallies;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const Json expect = parse_json(line, fmt::format("extract_cases.jsonl:{}", ++number));
    const std::string rule = expect["rule"].get<std::string>();
    const std::string text = expect["text"].get<std::string>();
    std::vector<std::string> choices;
    if (expect.contains("choices")) choices = expect["choices"].get<std::vector<std::string>>();
    const Extraction got = extract(rule, text, choices);
    const std::string answer =
        expect["answer"].is_null() ? "(null)" : expect["answer"].get<std::string>();
    if (expect.value("missed", false)) {  // known to be wrong, and counted as such
      EXPECT_NE(got.answer.value_or("(null)"), answer) << "line " << number << ": " << text;
    } else {
      EXPECT_EQ(name(got.status), expect["status"].get<std::string>())
          << "line " << number << ": " << rule << ": " << text << " -> "
          << got.answer.value_or("(null)");
      EXPECT_EQ(got.answer.value_or("(null)"), answer) << "line " << number << ": " << text;
    }
    Tally& tally = tallies[rule];
    ++tally.cases;
    tally.extracted += got.answer.has_value() ? 1 : 0;
    tally.expected += expect["answer"].is_null() ? 0 : 1;
    tally.right += got.answer.has_value() && *got.answer == answer ? 1 : 0;
  }
  for (const auto& [rule, tally] : tallies) {
    std::printf("  %-24s %3d cases, precision %d/%d, recall %d/%d\n",
                rule.c_str(),
                tally.cases,
                tally.right,
                tally.extracted,
                tally.right,
                tally.expected);
  }
  for (const std::string& rule : extract_rules()) {
    EXPECT_TRUE(tallies.contains(rule)) << rule << " has no case";
  }
}

TEST(Extract, EveryNamedRuleIsThere) {
  for (const std::string& rule : extract_rules()) EXPECT_NO_THROW(extract(rule, "1 A")) << rule;
  try {
    extract("last_nubmer", "1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage);
    EXPECT_EQ(std::string(error.what()).substr(0, 61),
              "rule: unknown \"last_nubmer\"; did you mean \"last_number\"? Know");
  }
}

std::string spanned(std::string_view rule, const std::string& text) {
  const Extraction got = extract(rule, text);
  if (!got.span.has_value()) return "(none)";
  const std::u32string points = to_u32(text);
  return to_utf8(std::u32string_view(points).substr(
      static_cast<size_t>(got.span->begin), static_cast<size_t>(got.span->end - got.span->begin)));
}

TEST(Extract, SpansAreCodePointsOfTheOriginal) {
  EXPECT_EQ(spanned("choice_letter", "选Ａ项的同学错了，正确的是Ｃ"), "Ｃ");
  EXPECT_EQ(spanned("choice_letter", "<think>Ａ</think>答案是B。"), "B");
  EXPECT_EQ(spanned("last_number", "一共　１，２３４　又 3.5万 个"), "3.5万");
  EXPECT_EQ(spanned("first_capital", "答案 b Ｃ"), "Ｃ");
  EXPECT_EQ(spanned("gsm8k_strict", "好 #### 18."), "18.");
}

// Whatever a model writes, a rule answers and stays within the text.
TEST(Extract, HostileTexts) {
  const std::string deep(100'000, '{');
  const std::vector<std::string> texts = {"\\boxed{" + deep,
                                          std::string(100'000, '9'),
                                          std::string(50'000, '-') + "5",
                                          "\xFF\xFE\xC0 答案",
                                          std::string("a\0b", 3),
                                          "\\frac{1}{0}",
                                          "1/0",
                                          "0分之5",
                                          "1e99",
                                          std::string(30'000, 'A'),
                                          "#### ",
                                          "答案：",
                                          "</think>",
                                          "<think>"};
  for (const std::string& text : texts) {
    for (const std::string& rule : extract_rules()) {
      const Extraction got = extract(rule, text);
      if (!got.span.has_value()) continue;
      EXPECT_LE(got.span->begin, got.span->end);
      EXPECT_LE(got.span->end, static_cast<int64_t>(count_code_points(text)));
    }
  }
}

}  // namespace
}  // namespace keju
