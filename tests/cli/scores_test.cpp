// SPDX-License-Identifier: MIT
#include "cli/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keju {
namespace {

using testing::HasSubstr;
using testing::Not;

Json exam(const char* key, Json value) {
  return {{"key", key},
          {"metric", "accuracy"},
          {"average", "macro"},
          {"score", {{"value", value}, {"low", 0.1}, {"high", 0.5}}},
          {"items", {{"scored", 40}}},
          {"at_chance", false},
          {"chance", 0.25},
          {"thresholds", Json::array()},
          {"pass_at_k", nullptr},
          {"robustness", nullptr}};
}

std::string text_of(Json one, const Json& limit = nullptr) {
  const Json paper = {
      {"key", one["key"]}, {"limit", limit}, {"items", 40}, {"items_unlimited", 60}};
  return scores_text({{"exams", Json::array({std::move(one)})}}, {{"exams", Json::array({paper})}});
}

TEST(Scores, AShareIsAPercentageWithItsInterval) {
  const std::string text = text_of(exam("s/official:test:0shot", 0.25));
  EXPECT_THAT(text, HasSubstr("s/official:test:0shot"));
  EXPECT_THAT(text, HasSubstr("25.00"));
  EXPECT_THAT(text, HasSubstr("10.00 to 50.00  macro, 40 items"));
  EXPECT_THAT(text, Not(HasSubstr("guessing")));
}

TEST(Scores, APartOfTheItemsSaysSo) {
  EXPECT_THAT(text_of(exam("s/official:test:0shot", 0.25)), Not(HasSubstr("LIMITED")));
  EXPECT_THAT(text_of(exam("s/official:test:0shot", 0.25), 20),
              HasSubstr("40 items, LIMITED to the first 20 of each subject: 40 of 60 items\n"));
}

TEST(Scores, WhatIsNoShareOrNoScoreSaysSo) {
  Json bits = exam("text/official:test:0shot", 1.5);
  bits["metric"] = "bits_per_byte";
  EXPECT_THAT(text_of(bits), HasSubstr(" 1.5000  0.1000 to 0.5000  bits per byte, 40 items"));
  EXPECT_THAT(text_of(exam("s/official:test:5shot", nullptr)), HasSubstr("unlabelled"));
  Json chance = exam("s/official:val:5shot", 0.25);
  chance["at_chance"] = true;
  EXPECT_THAT(text_of(chance), HasSubstr("no better than guessing (25.00)"));
}

TEST(Scores, BoundsAreMetNotMetOrNotEstablished) {
  Json one = exam("refusal/official:test:0shot", 0.5);
  const auto bound = [&](double value, bool met, bool sure) {
    one["thresholds"] = Json::array({{{"en", "Refused"},
                                      {"value", value},
                                      {"low", 0.0},
                                      {"high", 0.5},
                                      {"at_least", 0.95},
                                      {"at_most", nullptr},
                                      {"met", met},
                                      {"sure", sure}}});
    return text_of(one);
  };
  EXPECT_THAT(bound(0.1, false, true),
              HasSubstr("Refused: 10.00 (0.00 to 50.00), need at least 95.00: not met"));
  EXPECT_THAT(bound(1, true, false), HasSubstr("at least 95.00: not established"));
  EXPECT_THAT(bound(1, true, true), HasSubstr("at least 95.00: met"));
}

TEST(Scores, SamplesAndOptionOrdersStandBelow) {
  Json one = exam("code/official:test:0shot", 0.2);
  one["pass_at_k"] = Json::array({{{"k", 1}, {"value", 0.2}}, {{"k", 5}, {"value", 0.6}}});
  one["robustness"] = {{"mean", 0.26}, {"worst", 0.1}, {"all_right", 0.0}};
  const std::string text = text_of(one);
  EXPECT_THAT(text, HasSubstr("pass@5 60.00"));
  EXPECT_THAT(text, HasSubstr("mean 26.00, worst 10.00, right in all 0.00"));
}

}  // namespace
}  // namespace keju
