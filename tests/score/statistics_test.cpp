// SPDX-License-Identifier: MIT
// Expected values: by hand, from published examples, or with Python 3.11's fractions and
// statistics.
#include "score/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "score/metrics.h"

namespace keju {
namespace {

TEST(Statistics, MeanAndItsError) {
  const std::vector<double> values = {1, 2, 3, 4};
  const auto got = mean(values);
  EXPECT_DOUBLE_EQ(got->value, 2.5);
  EXPECT_DOUBLE_EQ(*got->stderr_, std::sqrt(5.0 / 3) / 2);
  EXPECT_FALSE((mean({})).has_value());
  const std::vector<double> one = {7};
  EXPECT_DOUBLE_EQ(mean(one)->value, 7);
  EXPECT_FALSE(mean(one)->stderr_.has_value());
}

// lm-evaluation-harness's own figures: accuracy and stderr of whole subjects.
TEST(Statistics, ProportionAgreesWithLmEval) {
  const auto agronomy = proportion(37, 169);
  EXPECT_NEAR(agronomy->value, 0.21893491124260356, 1e-15);
  EXPECT_NEAR(*agronomy->stderr_, 0.031904098844912306, 1e-15);
  const auto mathematics = proportion(29, 105);
  EXPECT_NEAR(mathematics->value, 0.2761904761904762, 1e-15);
  EXPECT_NEAR(*mathematics->stderr_, 0.04384295586918882, 1e-15);
}

// Newcombe 1998, table of 81/263 and 0/20, 1/29 at 95 %: 0.2553-0.3662, 0.0000-0.1611,
// 0.0061-0.1718.
TEST(Statistics, WilsonIntervals) {
  const auto check = [](int64_t right, int64_t count, double low, double high) {
    const auto got = proportion(right, count);
    EXPECT_NEAR(got->interval->low, low, 5e-5);
    EXPECT_NEAR(got->interval->high, high, 5e-5);
  };
  check(81, 263, 0.2553, 0.3662);
  check(15, 148, 0.0624, 0.1605);
  check(0, 20, 0.0000, 0.1611);
  check(1, 29, 0.0061, 0.1718);
  EXPECT_FALSE((proportion(0, 0)).has_value());
  EXPECT_DOUBLE_EQ(proportion(20, 20)->interval->high, 1);
}

TEST(Statistics, GroupedStandardErrorOfLmEval) {
  const std::vector<Group> groups = {{0.5, 0.1, 10}, {0.5, 0.08, 20}, {0.5, 0.05, 30}};
  const auto got = pooled_mean(groups);
  EXPECT_NEAR(*got->stderr_, 0.040127720, 5e-10);
  EXPECT_EQ(got->count, 60);
  EXPECT_DOUBLE_EQ(got->value, 0.5);
}

TEST(Statistics, MacroMeanOfStrata) {
  const std::vector<Group> groups = {{0.2, 0.03, 100}, {0.6, 0.04, 50}};
  const auto got = macro_mean(groups, /*bounded=*/true);
  EXPECT_DOUBLE_EQ(got->value, 0.4);
  EXPECT_DOUBLE_EQ(*got->stderr_, 0.025);
  EXPECT_EQ(got->count, 150);
  // Wilson at 0.4·0.6/0.025² = 384 observations.
  EXPECT_DOUBLE_EQ(got->interval->low, wilson(0.4, 384).low);
  EXPECT_NEAR(got->interval->low, 0.4 - 1.96 * 0.025, 0.003);
  EXPECT_FALSE((macro_mean({}, true)).has_value());
}

TEST(Statistics, AGroupOfOneTakesThePooledVariance) {
  // Variance of one observation in the first group: 0.1² · 10 = 0.1.
  const std::vector<Group> groups = {{0.5, 0.1, 10}, {1.0, std::nullopt, 1}};
  const auto got = macro_mean(groups, /*bounded=*/false);
  EXPECT_NEAR(*got->stderr_, std::sqrt(0.01 + 0.1) / 2, 1e-12);
}

TEST(Statistics, WeightedRatio) {
  const std::vector<double> values = {1, 3};
  const std::vector<double> weights = {3, 1};
  const auto got = weighted_ratio(values, weights);
  EXPECT_DOUBLE_EQ(got->value, 1.5);
  // Residuals 3·(-0.5) and 1·1.5: sqrt(2 · 4.5) / 4.
  EXPECT_DOUBLE_EQ(*got->stderr_, 0.75);
  const std::vector<double> zero = {0, 0};
  EXPECT_FALSE((weighted_ratio(values, zero)).has_value());
  // Equal weights: the plain standard error.
  const std::vector<double> equal = {2, 2};
  EXPECT_DOUBLE_EQ(*weighted_ratio(values, equal)->stderr_, *mean(values)->stderr_);
}

TEST(Statistics, Chance) {
  EXPECT_TRUE(near_chance(*proportion(30, 100), 0.25));
  EXPECT_FALSE(near_chance(*proportion(50, 100), 0.25));
  EXPECT_TRUE(near_chance(*proportion(5, 100), 0.25)) << "worse than guessing";
}

std::vector<SubjectInfo> subjects() {
  return {{"a", "", "", {"X", "Hard"}, 4}, {"b", "", "", {"X"}, 2}, {"c", "", "", {"Y"}, 1}};
}

Outcome value(double v) {
  Scored scored;
  scored.value = v;
  return scored;
}

TEST(Metrics, MicroMacroCategoriesAndCounts) {
  const std::vector<Outcome> outcomes = {value(1),
                                         value(0),
                                         Unscored{"no answer extracted", true},
                                         Failed{"x"},
                                         value(1),
                                         value(1),
                                         Unscored{"no label", false}};
  std::vector<ScoredItem> items;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    items.push_back({i < 4 ? "a" : i < 6 ? "b" : "c", &outcomes[i]});
  }
  items.push_back({"b", nullptr});
  Protocol rules;
  rules.average = Average::kMicro;
  const ExamScore got = aggregate(subjects(), {"X", "Y", "Hard"}, rules, 0.25, items);
  EXPECT_DOUBLE_EQ(got.overall.micro->value, 3.0 / 5);
  EXPECT_DOUBLE_EQ(got.overall.macro->value, (1.0 / 3 + 1) / 2) << "c has nothing to average";
  const OutcomeCounts& counts = got.overall.counts;
  EXPECT_EQ(counts.scored, 4);
  EXPECT_EQ(counts.unscored, 2);
  EXPECT_EQ(counts.unread, 1);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.missing, 1);
  EXPECT_EQ(counts.total(), 8);
  EXPECT_EQ(counts.reasons.at("no label"), 1);
  EXPECT_EQ(got.categories[0].first, "X");
  EXPECT_DOUBLE_EQ(got.categories[0].second.micro->value, 3.0 / 5);
  EXPECT_FALSE((got.categories[1].second.micro).has_value()) << "n/a, never 0";
  EXPECT_DOUBLE_EQ(got.categories[2].second.micro->value, 1.0 / 3);
  EXPECT_FALSE((got.subjects[2].score).has_value());
  EXPECT_TRUE(got.near_chance) << "five items tell nothing";
}

TEST(Metrics, BitsPerByteWeighsByBytes) {
  Protocol rules;
  rules.task = Task::kPerplexity;
  Scored first, second;
  first.value = 1;
  first.weight = 300;
  second.value = 2;
  second.weight = 100;
  const Outcome one = first, two = second;
  const ExamScore got = aggregate(subjects(), {}, rules, 0, {{"a", &one}, {"b", &two}});
  EXPECT_DOUBLE_EQ(got.overall.micro->value, 1.25);
  EXPECT_DOUBLE_EQ(got.overall.macro->value, 1.5);
  EXPECT_FALSE(got.near_chance);
}

}  // namespace
}  // namespace keju
