// SPDX-License-Identifier: MIT
// Against scipy, statsmodels and exact fractions: scripts/make_statistics_cases.py.
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "score/statistics/bradley_terry.h"
#include "score/statistics/design.h"
#include "score/statistics/distributions.h"
#include "score/statistics/multiplicity.h"
#include "score/statistics/paired.h"
#include "score/statistics/pass_at_k.h"
#include "score/statistics/power.h"
#include "score/statistics/sequential.h"

namespace keju {
namespace {

const Json& cases() {
  static const Json all = read_json("tests/fixtures/statistics/cases.json");
  return all;
}

double at(const Json& row, size_t i) { return row[i].get<double>(); }
int64_t whole(const Json& row, size_t i) { return row[i].get<int64_t>(); }
std::vector<double> numbers(const Json& list) { return list.get<std::vector<double>>(); }

void expect_close(double got, double want, double relative) {
  EXPECT_NEAR(got, want, relative * std::max(std::abs(want), 1e-300) + 1e-300);
}

TEST(StatisticsCases, Distributions) {
  const Json& d = cases()["distributions"];
  for (const Json& row : d["normal_cdf"]) expect_close(normal_cdf(at(row, 0)), at(row, 1), 1e-12);
  for (const Json& row : d["normal_quantile"])
    EXPECT_NEAR(normal_quantile(at(row, 0)), at(row, 1), 1e-12);
  for (const Json& row : d["beta"])
    expect_close(incomplete_beta(at(row, 0), at(row, 1), at(row, 2)), at(row, 3), 1e-10);
  for (const Json& row : d["student_cdf"])
    expect_close(student_cdf(at(row, 0), at(row, 1)), at(row, 2), 1e-10);
  for (const Json& row : d["student_quantile"])
    expect_close(student_quantile(at(row, 0), at(row, 1)), at(row, 2), 1e-10);
  for (const Json& row : d["binomial_cdf"])
    expect_close(binomial_cdf(whole(row, 0), whole(row, 1), at(row, 2)), at(row, 3), 1e-9);
  for (const Json& row : d["binomial_pmf"])
    expect_close(binomial_pmf(whole(row, 0), whole(row, 1), at(row, 2)), at(row, 3), 1e-10);
}

TEST(StatisticsCases, Wilson) {
  for (const Json& row : cases()["wilson"]) {
    const auto got = proportion(whole(row, 0), whole(row, 1));
    EXPECT_NEAR(got->interval->low, at(row, 2), 1e-12);
    EXPECT_NEAR(got->interval->high, at(row, 3), 1e-12);
  }
}

TEST(StatisticsCases, ClusteredAndStratifiedErrors) {
  for (const Json& c : cases()["designs"]) {
    const auto values = numbers(c["values"]);
    const auto clusters = c["clusters"].get<std::vector<int64_t>>();
    const auto strata = c["strata"].get<std::vector<int64_t>>();
    Design design{strata, clusters};
    if (c["weights"] == "strata") design.weights = Design::Weights::kStrata;
    const auto got = design_mean(values, design);
    ASSERT_TRUE(got);
    EXPECT_NEAR(got->value, c["value"].get<double>(), 1e-12);
    EXPECT_NEAR(got->se, c["se"].get<double>(), 1e-12);
    EXPECT_EQ(got->df, c["df"].get<double>());
    const auto weights = design_weights(values.size(), design);
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
    EXPECT_NEAR(sum, got->value, 1e-12);
  }
}

TEST(StatisticsCases, McNemar) {
  for (const Json& row : cases()["mcnemar"]) {
    expect_close(mcnemar_exact(whole(row, 0), whole(row, 1)), at(row, 2), 1e-9);
    expect_close(mcnemar_mid_p(whole(row, 0), whole(row, 1)), at(row, 3), 1e-9);
  }
}

TEST(StatisticsCases, ScoreTestOfPairs) {
  for (const Json& row : cases()["paired_scores"]["statistic"]) {
    EXPECT_NEAR(
        paired_score_statistic(at(row, 0), at(row, 1), at(row, 2), at(row, 3)), at(row, 4), 1e-5);
  }
  for (const Json& row : cases()["paired_scores"]["interval"]) {
    const Interval got = paired_score_interval(at(row, 0), at(row, 1), at(row, 2), kZ95);
    EXPECT_NEAR(got.low, at(row, 3), 1e-6);
    EXPECT_NEAR(got.high, at(row, 4), 1e-6);
  }
}

TEST(StatisticsCases, Multiplicity) {
  for (const Json& c : cases()["multiplicity"]) {
    const auto p = numbers(c["p"]);
    const auto h = holm(p), b = benjamini_hochberg(p);
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_NEAR(h[i], at(c["holm"], i), 1e-14);
      EXPECT_NEAR(b[i], at(c["bh"], i), 1e-14);
    }
  }
  EXPECT_TRUE(holm({}).empty());
}

TEST(StatisticsCases, PassAtK) {
  for (const Json& c : cases()["pass_at_k"]) {
    const auto n = c["n"].get<int64_t>(), r = c["c"].get<int64_t>(), k = c["k"].get<int64_t>();
    EXPECT_NEAR(*pass_at_k(n, r, k), c["pass"].get<double>(), 1e-12);
    EXPECT_NEAR(*all_at_k(n, r, k), c["all"].get<double>(), 1e-12);
    EXPECT_NEAR(
        *pass_at_least(n, r, k, c["least"].get<int64_t>()), c["at_least"].get<double>(), 1e-12);
  }
  EXPECT_FALSE(pass_at_k(3, 1, 4));
  // Two items of 1/2 and 1: mean 3/4, error over items (not over samples) 1/4.
  const Samples items[] = {{2, 1}, {4, 4}};
  const auto got = mean_pass_at_k(items, 1);
  EXPECT_DOUBLE_EQ(got->value, 0.75);
  EXPECT_DOUBLE_EQ(*got->stderr_, 0.25);
}

TEST(StatisticsCases, BradleyTerry) {
  for (const Json& c : cases()["bradley_terry"]) {
    std::vector<Vote> votes;
    for (size_t i = 0; i < c["first"].size(); ++i)
      votes.push_back({whole(c["first"], i),
                       whole(c["second"], i),
                       at(c["share"], i),
                       static_cast<int64_t>(i)});
    std::string why;
    const auto got = bradley_terry(c["models"].get<int64_t>(), votes, {0, 1}, why);
    ASSERT_TRUE(got) << why;
    for (size_t m = 0; m < got->size(); ++m) {
      EXPECT_NEAR((*got)[m].value, at(c["value"], m), 1e-8);
      EXPECT_NEAR((*got)[m].se, at(c["se"], m), 1e-8);
    }
  }
}

TEST(StatisticsCases, BradleyTerryRefusesWhatHasNoMaximum) {
  std::string why;
  const std::vector<Vote> unbeaten = {{0, 1, 1}, {0, 2, 1}, {1, 2, 1}, {2, 1, 1}};
  EXPECT_FALSE(bradley_terry(3, unbeaten, {10, 1}, why));
  EXPECT_NE(why.find("never lose"), std::string::npos);
  const std::vector<Vote> apart = {{0, 1, 0.5}, {2, 3, 0.5}};
  EXPECT_FALSE(bradley_terry(4, apart, {10, 1}, why));
  EXPECT_DOUBLE_EQ(elo(std::log(10.0)), 1400);
}

TEST(StatisticsCases, MinimumDetectableEffects) {
  for (const Json& row : cases()["power"]) {
    PowerQuestion q{at(row, 0), at(row, 1)};
    q.two_sided = true;
    EXPECT_NEAR(minimum_detectable_normal(q), at(row, 2), 1e-12);
    // The score test's own figure is near it, and never smaller.
    EXPECT_GE(minimum_detectable(q), at(row, 2));
    EXPECT_LE(minimum_detectable(q), at(row, 2) * 1.1);
    EXPECT_NEAR(equivalence_power(q, minimum_detectable(q)), 0.8, 1e-6);
  }
}

TEST(StatisticsCases, BettingEvidence) {
  BettingTest test(1);
  const Json& c = cases()["betting"];
  EXPECT_DOUBLE_EQ(test.evidence(), 1);
  for (size_t i = 0; i < c["x"].size(); ++i) {
    test.add(at(c["x"], i));
    expect_close(test.evidence(), at(c["evidence"], i), 1e-12);
  }
}

}  // namespace
}  // namespace keju
