// SPDX-License-Identifier: MIT
// Stated coverage and false-alarm rates, by drawing from distributions whose truth is known. Seeds
// are fixed, so each figure is one number; bounds leave four standard errors of the simulation.
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "score/statistics/bootstrap.h"
#include "score/statistics/bradley_terry.h"
#include "score/statistics/distributions.h"
#include "score/statistics/kinship.h"
#include "score/statistics/paired.h"
#include "score/statistics/power.h"
#include "score/statistics/ranks.h"
#include "score/statistics/sequential.h"

namespace keju {
namespace {

class Draws {
 public:
  explicit Draws(uint64_t stream) : stream_(stream) {}
  double operator()() { return uniform(7, stream_, next_++); }
  bool yes(double p) { return (*this)() < p; }
  double normal() { return normal_quantile(std::max((*this)(), 1e-12)); }

 private:
  uint64_t stream_, next_ = 0;
};

struct Pair {
  std::vector<double> a, b;
  std::vector<int64_t> clusters;
};

// Right and wrong answers with a share `gain` gained and `loss` lost.
Pair draw_pair(Draws& draw, size_t n, double gain, double loss) {
  Pair out;
  for (size_t i = 0; i < n; ++i) {
    const double u = draw();
    const bool gained = u < gain, lost = !gained && u < gain + loss;
    const bool right = gained || lost ? gained : draw.yes(0.6);
    out.b.push_back(right);
    out.a.push_back(gained || lost ? !right : right);
  }
  return out;
}

// Fifty passages of ten questions: a passage flips in favour of one side as a whole with chance
// rho.
Pair draw_clustered(Draws& draw) {
  Pair out;
  for (int64_t c = 0; c < 50; ++c) {
    const bool together = draw.yes(0.7), side = draw.yes(0.5), moves = draw.yes(0.4);
    for (int i = 0; i < 10; ++i) {
      const bool differs = together ? moves : draw.yes(0.4);
      const bool second = together ? side : draw.yes(0.5);
      out.a.push_back(differs ? !second : 1);
      out.b.push_back(differs ? second : 1);
      out.clusters.push_back(c);
    }
  }
  return out;
}

TEST(StatisticsSimulation, IntervalsOfPairsCover) {
  constexpr int kRuns = 2000;
  const double se = std::sqrt(0.05 * 0.95 / kRuns);
  uint64_t stream = 0;
  for (const auto& [n, gain, loss] :
       {std::tuple(60, 0.1, 0.1), {200, 0.01, 0.04}, {400, 0.15, 0.05}, {100, 0.0, 0.05}}) {
    int covered = 0;
    for (int r = 0; r < kRuns; ++r) {
      Draws draw(++stream);
      const Pair pair = draw_pair(draw, static_cast<size_t>(n), gain, loss);
      covered += paired_difference(pair.a, pair.b)->interval.holds(gain - loss);
    }
    EXPECT_GT(covered, (0.95 - 4 * se - 0.005) * kRuns) << n << " " << gain << " " << loss;
  }
}

TEST(StatisticsSimulation, NoDifferenceIsFoundAtTheStatedRate) {
  constexpr int kRuns = 2000;
  int mcnemar = 0, clustered = 0, naive = 0;
  for (int r = 0; r < kRuns; ++r) {
    Draws draw(100000 + static_cast<uint64_t>(r));
    const Pair plain = draw_pair(draw, 300, 0.06, 0.06);
    mcnemar += paired_difference(plain.a, plain.b)->p < 0.05;
    const Pair pair = draw_clustered(draw);
    clustered += paired_difference(pair.a, pair.b, {.clusters = pair.clusters})->p < 0.05;
    naive += paired_difference(pair.a, pair.b)->p < 0.05;
  }
  EXPECT_NEAR(mcnemar, 0.05 * kRuns, 0.02 * kRuns);
  EXPECT_NEAR(clustered, 0.05 * kRuns, 0.02 * kRuns);
  EXPECT_GT(naive, 0.25 * kRuns) << "the case must be one in which clusters matter";
}

TEST(StatisticsSimulation, PowerAtTheMinimumDetectableEffect) {
  constexpr int kRuns = 2000;
  const double q = 0.1;
  const double margin = minimum_detectable({500, q});
  int shown = 0, wrongly_shown = 0;
  for (int r = 0; r < kRuns; ++r) {
    Draws draw(200000 + static_cast<uint64_t>(r));
    const Pair equal = draw_pair(draw, 500, q / 2, q / 2);
    shown += paired_difference(equal.a, equal.b)->lower(0.05) > -margin;
    const Pair worse = draw_pair(draw, 500, (q - margin) / 2, (q + margin) / 2);
    wrongly_shown += paired_difference(worse.a, worse.b)->lower(0.05) > -margin;
  }
  EXPECT_NEAR(shown, 0.8 * kRuns, 0.035 * kRuns);
  EXPECT_LE(wrongly_shown, 0.07 * kRuns);
}

TEST(StatisticsSimulation, BettingKeepsItsLevelUnderLooksAtEveryItem) {
  constexpr int kRuns = 1000;
  int alarms = 0, found = 0;
  for (int r = 0; r < kRuns; ++r) {
    Draws draw(300000 + static_cast<uint64_t>(r));
    BettingTest null(1), real(1);
    bool alarm = false, finding = false;
    for (int i = 0; i < 1000; ++i) {
      const double u = draw(), v = draw();
      null.add(u < 0.1 ? 1 : u < 0.2 ? -1 : 0);
      real.add(v < 0.15 ? 1 : v < 0.2 ? -1 : 0);
      alarm = alarm || null.decided(0.05);
      finding = finding || real.decided(0.05);
    }
    alarms += alarm;
    found += finding;
  }
  EXPECT_LE(alarms, 0.05 * kRuns);
  EXPECT_GE(found, 0.9 * kRuns);
}

TEST(StatisticsSimulation, BootstrapAgreesWithTheFormula) {
  Draws draw(400000);
  const Pair pair = draw_clustered(draw);
  const Design design{.clusters = pair.clusters};
  const auto replicates = bootstrap_means(pair.b, design, {4000, 3});
  const auto formula = design_mean(pair.b, design);
  EXPECT_NEAR(bootstrap_error(replicates), formula->se, 0.06 * formula->se);
  const Interval drawn = percentile_interval(replicates);
  EXPECT_NEAR(drawn.low, formula->interval.low, 0.3 * formula->se);
  EXPECT_NEAR(drawn.high, formula->interval.high, 0.3 * formula->se);
  EXPECT_EQ(replicates, bootstrap_means(pair.b, design, {4000, 3}));
  EXPECT_NE(replicates, bootstrap_means(pair.b, design, {4000, 4}));
}

// Strata are drawn within: their means may differ without end and leave no trace in the error.
TEST(StatisticsSimulation, BootstrapStaysWithinStrata) {
  const std::vector<double> values = {0, 0, 0, 9, 9, 9};
  const std::vector<int64_t> strata = {1, 1, 1, 2, 2, 2};
  for (const double m : bootstrap_means(values, {.strata = strata}, {50, 1})) EXPECT_EQ(m, 4.5);
  EXPECT_GT(bootstrap_error(bootstrap_means(values, {}, {50, 1})), 1);
}

TEST(StatisticsSimulation, RanksAndTieGroups) {
  std::vector<std::vector<double>> scores(4, std::vector<double>(400));
  Draws draw(500000);
  for (size_t i = 0; i < 400; ++i) {
    const double hard = draw();
    scores[0][i] = hard < 0.80;
    scores[1][i] =
        draw.yes(hard < 0.8 ? 0.02 : 0.08) ? hard >= 0.8 : hard < 0.8;  // a twin of model 0
    scores[2][i] = hard < 0.60;
    scores[3][i] = hard < 0.30;
  }
  const auto groups = tie_groups(scores, {});
  EXPECT_EQ(groups[0], 1);
  EXPECT_EQ(groups[1], 1);
  EXPECT_EQ(groups[2], 2);
  EXPECT_EQ(groups[3], 3);
  const auto ranks = rank_intervals(scores, {}, {1000, 1});
  EXPECT_EQ(ranks[2].low, 3);
  EXPECT_EQ(ranks[2].high, 3);
  EXPECT_EQ(ranks[0].low, 1);
  EXPECT_EQ(std::max(ranks[0].high, ranks[1].high), 2);
}

// With papers weighing 1 and -1, the test of one pair's totals is Welch's t-test of two samples.
// Student's sleep data under R 4.3, t.test(extra ~ group): df 17.776, p 0.07939.
TEST(Contest, TotalsAreTestedAsWelchDoes) {
  const std::vector<std::vector<double>> first = {
      std::vector<double>(10, 0.0), {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}};
  const std::vector<std::vector<double>> second = {
      std::vector<double>(10, 0.0), {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}};
  const Contest a = contest(first, {}, {100, 1}), b = contest(second, {}, {100, 2});
  const std::vector<const Contest*> papers = {&a, &b};
  const Contest both = combined(papers, std::vector<double>{1, -1});
  ASSERT_EQ(both.pairs.size(), 1u);
  EXPECT_NEAR(both.pairs[0].difference, -1.58, 1e-12);
  EXPECT_NEAR(both.pairs[0].freedom, 17.776, 5e-4);
  EXPECT_NEAR(both.pairs[0].p, 0.07939, 5e-6);
  EXPECT_NEAR(both.means[1], -1.58, 1e-12);
  EXPECT_NEAR(both.replicates[1][7], a.replicates[1][7] - b.replicates[1][7], 1e-12);
}

TEST(Contest, AmongSomeIsTheContestOfThese) {
  Draws draw(700000);
  std::vector<std::vector<double>> scores(4, std::vector<double>(60));
  for (auto& row : scores) {
    for (double& x : row) x = draw.yes(0.5) ? 1 : 0;
  }
  const Contest all = contest(scores, {}, {50, 1});
  const std::vector<size_t> some = {3, 1};
  const std::vector<std::vector<double>> those = {scores[3], scores[1]};
  const Contest part = among(all, some), own = contest(those, {}, {50, 1});
  EXPECT_EQ(part.means, own.means);
  EXPECT_EQ(part.replicates, own.replicates);
  ASSERT_EQ(part.pairs.size(), 1u);
  EXPECT_DOUBLE_EQ(part.pairs[0].difference, own.pairs[0].difference);
  EXPECT_DOUBLE_EQ(part.pairs[0].p, own.pairs[0].p);
}

// Under the null, the best of six equals is told apart from any in at most 5 % of samples, and the
// truth, a tie, lies in every model's rank interval most of the time.
TEST(Contest, EqualModelsAreRarelyToldApart) {
  int split = 0;
  constexpr int kRuns = 200;
  for (int r = 0; r < kRuns; ++r) {
    Draws draw(800000 + static_cast<uint64_t>(r));
    std::vector<std::vector<double>> scores(6, std::vector<double>(150));
    for (size_t i = 0; i < 150; ++i) {
      const double hard = draw();
      for (auto& row : scores) row[i] = draw.yes(hard) ? 1 : 0;
    }
    const auto groups = tie_groups(scores, {});
    split += *std::max_element(groups.begin(), groups.end()) > 1 ? 1 : 0;
  }
  EXPECT_LE(split, 20);  // 5 % of 200 and 3.2 standard errors
}

TEST(StatisticsSimulation, BradleyTerryIntervalsCover) {
  const std::vector<double> truth = {0.8, 0.0, -0.8};
  int covered = 0;
  constexpr int kRuns = 200;
  for (int r = 0; r < kRuns; ++r) {
    Draws draw(600000 + static_cast<uint64_t>(r));
    std::vector<Vote> votes;
    for (int64_t prompt = 0; prompt < 90; ++prompt) {
      const int64_t a = prompt % 3, b = (prompt + 1) % 3;
      const double p = 1 / (1 + std::exp(truth[b] - truth[a]));
      votes.push_back({a, b, draw.yes(p) ? 1.0 : 0.0, prompt});
    }
    std::string why;
    const auto got = bradley_terry(3, votes, {100, 1}, why);
    ASSERT_TRUE(got) << why;
    for (size_t m = 0; m < 3; ++m) covered += (*got)[m].interval.holds(truth[m]);
  }
  EXPECT_GE(covered, 0.92 * 3 * kRuns);
}

// Strangers agree among wrong answers by chance, by a shared habit of place, and where an option
// tempts everybody; kin agree beyond that.
TEST(StatisticsSimulation, KinshipTellsKinFromStrangers) {
  constexpr size_t kItems = 1500;
  Questions questions{std::vector<int>(kItems), std::vector<int>(kItems, 4)};
  Draws draw(700000);
  // Six strangers with the same skill, the same leaning to the first place and the same
  // temptations; model 6 copies model 0 with a little noise.
  std::vector<Answers> models(7);
  for (Answers& model : models) {
    model.choice.resize(kItems);
    model.option_scores.resize(kItems);
  }
  for (size_t i = 0; i < kItems; ++i) {
    questions.gold[i] = static_cast<int>(draw() * 4);
    const int trap = static_cast<int>(draw() * 4);
    for (size_t m = 0; m < 7; ++m) {
      std::vector<double>& scores = models[m].option_scores[i];
      for (int o = 0; o < 4; ++o) {
        const double noise =
            m == 6 ? models[0].option_scores[i][static_cast<size_t>(o)] + 0.2 * draw.normal()
                   : draw.normal() + (o == 0) * 0.8 + (o == trap) * 1.2 +
                         (o == questions.gold[i]) * 1.0;
        scores.push_back(noise);
      }
      models[m].choice[i] =
          static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    }
  }
  std::vector<const Answers*> others;
  for (size_t m = 2; m < 6; ++m) others.push_back(&models[m]);
  const Kinship strangers = kinship(questions, models[0], models[1], others, {}, {400, 1});
  const Kinship kin = kinship(questions, models[0], models[6], others, {}, {400, 1});
  ASSERT_TRUE(strangers.excess && kin.excess);
  EXPECT_TRUE(strangers.excess_interval->holds(0));
  EXPECT_LT(std::abs(*strangers.excess), 0.1);
  EXPECT_GT(kin.excess_interval->low, 0.6);
  EXPECT_GT(kin.excess_interval->low, strangers.excess_interval->high);
  EXPECT_GT(*kin.correlation, 0.95);
  EXPECT_GT(kin.correlation_interval->low, strangers.correlation_interval->high);
  // Without the others, what tempts everybody looks like kinship: that is what they are for.
  const Kinship blind = kinship(questions, models[0], models[1], {}, {}, {50, 1});
  EXPECT_GT(*blind.excess, *strangers.excess);
}

}  // namespace
}  // namespace keju
