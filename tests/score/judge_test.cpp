// SPDX-License-Identifier: MIT
#include "score/judge.h"

#include <gtest/gtest.h>

#include <cmath>

#include "score/agreement.h"

namespace keju {
namespace {

JudgeRules map_rules() {
  JudgeRules rules;
  rules.read = JudgeRules::Read::kScoreMap;
  rules.total = "综合得分";
  return rules;
}

double score(const JudgeRules& rules, const char* text) {
  const auto read = read_judgement(rules, text);
  return read ? read->score : -1;
}

TEST(Judge, ReadsTheLastMapOfScores) {
  const auto read =
      read_judgement(map_rules(),
                     "如 {'事实正确性': 9, '综合得分': 9} 所示。\n评价……\n{'事实正确性': 4, "
                     "'满足用户需求': 6, '综合得分': 5}");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->score, 5);
  ASSERT_EQ(read->parts.size(), 2u);
  EXPECT_EQ(read->parts[1].first, "满足用户需求");
  EXPECT_EQ(read->parts[1].second, 6);
  EXPECT_EQ(score(map_rules(), "{“综合得分”：7}"), 7);
  EXPECT_EQ(score(map_rules(), "{\"综合得分\": 7.5}"), 7.5);
  EXPECT_EQ(score(map_rules(), "{'清晰度': 6，'综合得分': 8}"), 8);
  EXPECT_EQ(score(map_rules(), "8"), 8) << "what a person fills in";
  EXPECT_EQ(score(map_rules(), "<think>{'综合得分': 2}</think>{'综合得分': 3}"), 3);
}

TEST(Judge, AVerdictThatIsNoneIsNone) {
  for (const char* text : {"",
                           "很好的回答",
                           "{'综合得分': 打分}",
                           "{'清晰度': 6}",
                           "{'综合得分': 11}",
                           "{'综合得分': 0}",
                           "{'清晰度': 99, '综合得分': 7}",
                           "{'综合得分': 7",
                           "综合得分 7 分",
                           "{}",
                           "}{"}) {
    EXPECT_FALSE(read_judgement(map_rules(), text).has_value()) << text;
  }
}

TEST(Judge, ReadsRatings) {
  const JudgeRules rules;
  EXPECT_EQ(score(rules, "Rating: [[5]]"), 5);
  EXPECT_EQ(score(rules, "for example [[5]] … Rating: [[ 8.5 ]]."), 8.5);
  EXPECT_EQ(score(rules, "Rating: [5]"), -1);
  EXPECT_EQ(score(rules, "[[A]]"), -1);
}

TEST(Judge, ReadsWinners) {
  EXPECT_EQ(read_winner("…所以 [[A]]"), Winner::kA);
  EXPECT_EQ(read_winner("[[A]]？不，[[B]]"), Winner::kB);
  EXPECT_EQ(read_winner("[[C]]"), Winner::kTie);
  EXPECT_EQ(read_winner(" B "), Winner::kB);
  EXPECT_EQ(read_winner("平局"), Winner::kTie);
  for (const char* text : {"", "助手A更好", "[[D]]", "[A]", "[[A]", "AB"}) {
    EXPECT_FALSE(read_winner(text).has_value()) << text;
  }
}

TEST(Judge, BothOrdersMustAgree) {
  // A judge that always takes the first answer wins nobody anything.
  EXPECT_EQ(of_both_orders(Winner::kA, Winner::kA), Winner::kTie);
  EXPECT_EQ(of_both_orders(Winner::kA, Winner::kB), Winner::kA);
  EXPECT_EQ(of_both_orders(Winner::kB, Winner::kA), Winner::kB);
  EXPECT_EQ(of_both_orders(Winner::kA, Winner::kTie), Winner::kTie);
  EXPECT_EQ(majority({Winner::kA, Winner::kB, Winner::kA}), Winner::kA);
  EXPECT_EQ(majority({Winner::kA, Winner::kB}), Winner::kTie);
  EXPECT_EQ(majority({Winner::kTie, Winner::kTie, Winner::kB}), Winner::kTie);
}

// Cohen 1960's way by hand: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, by chance
// 0.5·0.6 + 0.5·0.4 = 0.5.
TEST(Agreement, KappaOfTheTextbookTable) {
  std::vector<int> a, b;
  const auto add = [&](int x, int y, int n) {
    a.insert(a.end(), static_cast<size_t>(n), x);
    b.insert(b.end(), static_cast<size_t>(n), y);
  };
  add(1, 1, 20);
  add(1, 0, 5);
  add(0, 1, 10);
  add(0, 0, 15);
  EXPECT_NEAR(kappa(a, b, 2, false).value(), 0.4, 1e-12);
  EXPECT_NEAR(kappa(a, b, 2, true).value(), 0.4, 1e-12) << "two classes have one distance";
  EXPECT_NEAR(kappa(a, a, 2, false).value(), 1, 1e-12);
  const std::vector<int> x = {0, 1, 2, 2, 1, 0}, y = {0, 2, 2, 1, 1, 1};
  // Observed disagreement: pairs (1,2), (2,1), (0,1) of six; by hand from the margins 2/6 each and
  // (1, 3, 2)/6.
  EXPECT_NEAR(kappa(x, y, 3, false).value(), 1 - (3.0 / 6) / (1 - (2.0 + 6 + 4) / 36), 1e-12);
  const double squares = (2 * (3 * 1 + 2 * 4) + 2 * (1 * 1 + 2 * 1) + 2 * (1 * 4 + 3 * 1)) / 36.0;
  EXPECT_NEAR(kappa(x, y, 3, true).value(), 1 - (3.0 / 6) / squares, 1e-12);
  EXPECT_FALSE(kappa({}, {}, 2, false).has_value());
}

// A judge that passes 9 of 10 good answers and 2 of 10 bad ones: a judged rate of 0.55 comes of a
// true one of 0.5, for 0.5·0.9 + 0.5·0.2 = 0.55.
TEST(Agreement, TheCorrectedRateUndoesTheJudgesErrors) {
  const Confusion slice{90, 10, 20, 80};
  EXPECT_NEAR(corrected_rate(0.55, 1000, slice)->value, 0.5, 1e-12);
  // The three errors by the delta method, with large counts apart.
  const double se = corrected_rate(0.55, 1000, slice)->stderr_.value();
  const double by_hand =
      std::sqrt((0.55 * 0.45 / 1000 + 0.25 * 0.9 * 0.1 / 100 + 0.25 * 0.8 * 0.2 / 100)) / 0.7;
  EXPECT_NEAR(se, by_hand, 1e-12);
  EXPECT_FALSE(corrected_rate(0.5, 100, {5, 5, 5, 5}).has_value()) << "a coin";
  EXPECT_FALSE(corrected_rate(0.5, 100, {5, 0, 0, 0}).has_value()) << "no bad answers in the slice";
  EXPECT_EQ(corrected_rate(0.1, 100, {90, 10, 20, 80})->value, 0) << "clamped";
}

}  // namespace
}  // namespace keju
