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

}  // namespace

Kinship kinship(const Questions& questions,
                const Answers& first,
                const Answers& second,
                std::span<const Answers* const> others,
                std::span<const int64_t> clusters,
                const BootstrapOptions& options) {
  const size_t n = questions.gold.size();
  KEJU_CHECK(first.choice.size() == n && second.choice.size() == n && questions.options.size() == n,
             "kin are compared on the same items");
  const auto habit_a = habits(questions, first), habit_b = habits(questions, second);
  std::vector<double> same(n, 0), expected(n, 0), wrong(n, 0);
  std::vector<Pairs> pairs(n);
  Kinship out;
  double expected_sum = 0;
  for (size_t i = 0; i < n; ++i) {
    pairs[i] = centred(questions, first, second, i);
    if (!erred(questions, first, i) || !erred(questions, second, i)) continue;
    const auto usual =
        others.empty() ? chance_by_habit(habit_a, habit_b, questions.options[i], questions.gold[i])
                       : shared_with_others(questions, first, second, others, i);
    if (!usual) continue;
    wrong[i] = 1;
    same[i] = first.choice[i] == second.choice[i] ? 1 : 0;
    expected[i] = *usual;
    expected_sum += expected[i];
    ++out.both_wrong;
    out.same_wrong += same[i] > 0 ? 1 : 0;
  }
  Pairs all;
  for (const Pairs& p : pairs) all = {all.xx + p.xx, all.yy + p.yy, all.xy + p.xy};
  out.correlation = pearson(all);
  const auto excess = [](double s, double e, double w) { return (s - e) / (w - e); };
  if (out.both_wrong > 0) {
    const auto w = static_cast<double>(out.both_wrong);
    out.expected = expected_sum / w;
    if (w - expected_sum > 1e-9)
      out.excess = excess(static_cast<double>(out.same_wrong), expected_sum, w);
  }
  std::vector<double> excesses, correlations;
  resample(n, {.clusters = clusters}, options, [&](int64_t, std::span<const int32_t> times) {
    double s = 0, e = 0, w = 0;
    Pairs sums;
    for (size_t i = 0; i < n; ++i) {
      s += times[i] * same[i];
      e += times[i] * expected[i];
      w += times[i] * wrong[i];
      sums.xx += times[i] * pairs[i].xx;
      sums.yy += times[i] * pairs[i].yy;
      sums.xy += times[i] * pairs[i].xy;
    }
    if (w - e > 1e-9) excesses.push_back(excess(s, e, w));
    if (const auto r = pearson(sums)) correlations.push_back(*r);
  });
  if (out.excess && excesses.size() > 1) out.excess_interval = percentile_interval(excesses);
  if (out.correlation && correlations.size() > 1)
    out.correlation_interval = percentile_interval(correlations);
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
      const Kinship k = kinship(questions, models[a], models[b], {}, {}, {.replicates = 0});
      alike[a][b] = alike[b][a] = k.excess.value_or(0);
    }
  }
  std::vector<KinshipPair> out;
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = a + 1; b < count; ++b) {
      std::vector<const Answers*> others;
      for (size_t m = 0; m < count; ++m) {
        const bool kin = alike[m][a] > kCopy || alike[m][b] > kCopy;
        if (m != a && m != b && !kin) others.push_back(&models[m]);
      }
      out.push_back({a,
                     b,
                     static_cast<int64_t>(others.size()),
                     kinship(questions, models[a], models[b], others, clusters, options)});
    }
  }
  return out;
}

}  // namespace keju
