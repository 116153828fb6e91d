// SPDX-License-Identifier: MIT
#include "score/statistics/kinship.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace keju {
namespace {

bool erred(const Questions& questions, const Answers& answers, size_t i) {
  return answers.choice[i] >= 0 && answers.choice[i] != questions.gold[i];
}

// How often a model chooses each place among the wrong options that it is offered when it errs.
std::vector<double> habits(const Questions& questions, const Answers& answers) {
  std::vector<double> chosen, offered;
  for (size_t i = 0; i < answers.choice.size(); ++i) {
    if (!erred(questions, answers, i)) continue;
    const auto count = static_cast<size_t>(questions.options[i]);
    if (chosen.size() < count) {
      chosen.resize(count, 0);
      offered.resize(count, 0);
    }
    for (size_t o = 0; o < count; ++o) {
      if (static_cast<int>(o) != questions.gold[i])
        offered[o] += 1 / static_cast<double>(count - 1);
    }
    chosen[static_cast<size_t>(answers.choice[i])] += 1;
  }
  for (size_t o = 0; o < chosen.size(); ++o) chosen[o] = (chosen[o] + 0.5) / (offered[o] + 0.5);
  return chosen;
}

// Chance that two errors fall on the same option, if each model follows its habits alone.
double chance_by_habit(const std::vector<double>& habit_a,
                       const std::vector<double>& habit_b,
                       int count,
                       int gold) {
  double same = 0, a = 0, b = 0;
  for (int o = 0; o < count; ++o) {
    if (o == gold) continue;
    const double pa = habit_a[static_cast<size_t>(o)], pb = habit_b[static_cast<size_t>(o)];
    same += pa * pb;
    a += pa;
    b += pb;
  }
  return same / (a * b);
}

// How often the two share the error of another model on this item; nothing if no other erred.
std::optional<double> shared_with_others(const Questions& questions,
                                         const Answers& first,
                                         const Answers& second,
                                         std::span<const Answers* const> others,
                                         size_t i) {
  double shared = 0, count = 0;
  for (const Answers* other : others) {
    if (!erred(questions, *other, i)) continue;
    shared += (other->choice[i] == first.choice[i]) + (other->choice[i] == second.choice[i]);
    count += 2;
  }
  if (count == 0) return std::nullopt;
  return shared / count;
}

struct Pairs {  // sums of one item's centred wrong-option scores
  double xx = 0, yy = 0, xy = 0;
};

Pairs centred(const Questions& questions, const Answers& a, const Answers& b, size_t i) {
  Pairs out;
  if (i >= a.option_scores.size() || i >= b.option_scores.size()) return out;
  const auto &x = a.option_scores[i], &y = b.option_scores[i];
  const auto count = static_cast<size_t>(questions.options[i]);
  if (x.size() != count || y.size() != count || count < 3) return out;
  double mx = 0, my = 0;
  const auto gold = static_cast<size_t>(questions.gold[i]);
  for (size_t o = 0; o < count; ++o) {
    if (o == gold) continue;
    mx += x[o] / static_cast<double>(count - 1);
    my += y[o] / static_cast<double>(count - 1);
  }
  for (size_t o = 0; o < count; ++o) {
    if (o == gold) continue;
    out.xx += (x[o] - mx) * (x[o] - mx);
    out.yy += (y[o] - my) * (y[o] - my);
    out.xy += (x[o] - mx) * (y[o] - my);
  }
  return out;
}

std::optional<double> pearson(const Pairs& sums) {
  if (!(sums.xx > 0) || !(sums.yy > 0)) return std::nullopt;
  return sums.xy / std::sqrt(sums.xx * sums.yy);
}

double excess_of(double same, double expected, double wrong) {
  return (same - expected) / (wrong - expected);
}

// What each item adds to a pair's sums.
struct PairItems {
  std::vector<double> same, expected, wrong;
  std::vector<Pairs> scores;
};

// The pair's estimates, without intervals; `out` gets what these follow from.
Kinship estimate(const Questions& questions,
                 const Answers& first,
                 const Answers& second,
                 std::span<const Answers* const> others,
                 PairItems& out) {
  const size_t n = questions.gold.size();
  KEJU_CHECK(first.choice.size() == n && second.choice.size() == n && questions.options.size() == n,
             "kin are compared on the same items");
  const auto habit_a = habits(questions, first), habit_b = habits(questions, second);
  out = {std::vector<double>(n, 0),
         std::vector<double>(n, 0),
         std::vector<double>(n, 0),
         std::vector<Pairs>(n)};
  Kinship kin;
  double expected = 0;
  Pairs all;
  for (size_t i = 0; i < n; ++i) {
    out.scores[i] = centred(questions, first, second, i);
    all = {all.xx + out.scores[i].xx, all.yy + out.scores[i].yy, all.xy + out.scores[i].xy};
    if (!erred(questions, first, i) || !erred(questions, second, i)) continue;
    const auto usual =
        others.empty() ? chance_by_habit(habit_a, habit_b, questions.options[i], questions.gold[i])
                       : shared_with_others(questions, first, second, others, i);
    if (!usual) continue;
    out.wrong[i] = 1;
    out.same[i] = first.choice[i] == second.choice[i] ? 1 : 0;
    out.expected[i] = *usual;
    expected += *usual;
    ++kin.both_wrong;
    kin.same_wrong += out.same[i] > 0 ? 1 : 0;
  }
  kin.correlation = pearson(all);
  if (kin.both_wrong == 0) return kin;
  const auto wrong = static_cast<double>(kin.both_wrong);
  kin.expected = expected / wrong;
  if (wrong - expected > 1e-9) {
    kin.excess = excess_of(static_cast<double>(kin.same_wrong), expected, wrong);
  }
  return kin;
}

// The intervals of several pairs on the same items, from the same draws.
void add_intervals(const std::vector<PairItems>& pairs,
                   std::span<const int64_t> clusters,
                   const BootstrapOptions& options,
                   const std::vector<Kinship*>& out) {
  if (pairs.empty()) return;
  const size_t n = pairs[0].same.size();
  std::vector<std::vector<double>> excesses(pairs.size()), correlations(pairs.size());
  resample(n, {.clusters = clusters}, options, [&](int64_t, std::span<const int32_t> times) {
    for (size_t p = 0; p < pairs.size(); ++p) {
      const PairItems& pair = pairs[p];
      double same = 0, expected = 0, wrong = 0;
      Pairs sums;
      for (size_t i = 0; i < n; ++i) {
        const double t = times[i];
        same += t * pair.same[i];
        expected += t * pair.expected[i];
        wrong += t * pair.wrong[i];
        sums.xx += t * pair.scores[i].xx;
        sums.yy += t * pair.scores[i].yy;
        sums.xy += t * pair.scores[i].xy;
      }
      if (wrong - expected > 1e-9) excesses[p].push_back(excess_of(same, expected, wrong));
      if (const auto r = pearson(sums)) correlations[p].push_back(*r);
    }
  });
  for (size_t p = 0; p < pairs.size(); ++p) {
    if (out[p]->excess && excesses[p].size() > 1) {
      out[p]->excess_interval = percentile_interval(excesses[p]);
    }
    if (out[p]->correlation && correlations[p].size() > 1) {
      out[p]->correlation_interval = percentile_interval(correlations[p]);
    }
  }
}

}  // namespace

Kinship kinship(const Questions& questions,
                const Answers& first,
                const Answers& second,
                std::span<const Answers* const> others,
                std::span<const int64_t> clusters,
                const BootstrapOptions& options) {
  std::vector<PairItems> items(1);
  Kinship out = estimate(questions, first, second, others, items[0]);
  add_intervals(items, clusters, options, {&out});
  return out;
}

std::vector<KinshipPair> kinship_pairs(const Questions& questions,
                                       std::span<const Answers> models,
                                       std::span<const int64_t> clusters,
                                       const BootstrapOptions& options) {
  constexpr double kCopy = 0.7;
  const size_t count = models.size();
  std::vector<std::vector<double>> alike(count, std::vector<double>(count, 0));
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = a + 1; b < count; ++b) {
      PairItems items;
      const Kinship k = estimate(questions, models[a], models[b], {}, items);
      alike[a][b] = alike[b][a] = k.excess.value_or(0);
    }
  }
  std::vector<KinshipPair> out;
  std::vector<PairItems> items;
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = a + 1; b < count; ++b) {
      std::vector<const Answers*> others;
      for (size_t m = 0; m < count; ++m) {
        const bool kin = alike[m][a] > kCopy || alike[m][b] > kCopy;
        if (m != a && m != b && !kin) others.push_back(&models[m]);
      }
      items.emplace_back();
      const Kinship kin = estimate(questions, models[a], models[b], others, items.back());
      out.push_back({a, b, static_cast<int64_t>(others.size()), kin});
    }
  }
  std::vector<Kinship*> estimates;
  for (KinshipPair& pair : out) estimates.push_back(&pair.kinship);
  add_intervals(items, clusters, options, estimates);
  return out;
}

}  // namespace keju
