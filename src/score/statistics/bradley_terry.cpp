// SPDX-License-Identifier: MIT
#include "score/statistics/bradley_terry.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"

namespace keju {
namespace {

// wins[a][b]: how often a beat b, ties as halves.
using Wins = std::vector<std::vector<double>>;
using Matrix = std::vector<std::vector<double>>;

// Everything reachable from model 0 along wins (or losses).
bool reaches_all(const Wins& wins, bool forward) {
  std::vector<bool> seen(wins.size(), false);
  std::vector<size_t> stack = {0};
  seen[0] = true;
  while (!stack.empty()) {
    const size_t a = stack.back();
    stack.pop_back();
    for (size_t b = 0; b < wins.size(); ++b) {
      if (seen[b] || (forward ? wins[a][b] : wins[b][a]) <= 0) continue;
      seen[b] = true;
      stack.push_back(b);
    }
  }
  return std::all_of(seen.begin(), seen.end(), [](bool s) { return s; });
}

// Inverse of a symmetric positive definite matrix, by Gauss and Jordan with pivots on the diagonal.
Matrix inverse(Matrix a) {
  const size_t n = a.size();
  Matrix out(n, std::vector<double>(n, 0));
  for (size_t i = 0; i < n; ++i) out[i][i] = 1;
  for (size_t k = 0; k < n; ++k) {
    const double pivot = a[k][k];
    KEJU_CHECK(pivot > 0, "the information of connected votes is positive definite");
    for (size_t j = 0; j < n; ++j) {
      a[k][j] /= pivot;
      out[k][j] /= pivot;
    }
    for (size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = a[i][k];
      for (size_t j = 0; j < n; ++j) {
        a[i][j] -= factor * a[k][j];
        out[i][j] -= factor * out[k][j];
      }
    }
  }
  return out;
}

struct Slope {
  std::vector<double> gradient;
  Matrix covariance;  // of strengths that sum to 0
};

Slope slope_at(const Wins& wins, const std::vector<double>& s) {
  const size_t n = s.size();
  Slope out{std::vector<double>(n, 0), Matrix(n, std::vector<double>(n, 0))};
  // The information is singular along (1, …, 1); adding 11ᵀ/n there leaves the inverse on the
  // strengths that sum to 0 as it is, plus 11ᵀ/n, which is taken off again.
  Matrix information(n, std::vector<double>(n, 1 / static_cast<double>(n)));
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = 0; b < n; ++b) {
      if (a == b) continue;
      const double p = 1 / (1 + std::exp(s[b] - s[a]));
      const double games = wins[a][b] + wins[b][a];
      out.gradient[a] += wins[a][b] - games * p;
      information[a][a] += games * p * (1 - p);
      information[a][b] -= games * p * (1 - p);
    }
  }
  out.covariance = inverse(std::move(information));
  for (auto& row : out.covariance) {
    for (double& x : row) x -= 1 / static_cast<double>(n);
  }
  return out;
}

double log_likelihood(const Wins& wins, const std::vector<double>& s) {
  double out = 0;
  for (size_t a = 0; a < s.size(); ++a) {
    for (size_t b = 0; b < s.size(); ++b) {
      if (wins[a][b] > 0) out -= wins[a][b] * std::log1p(std::exp(s[b] - s[a]));
    }
  }
  return out;
}

std::optional<std::vector<double>> fit(const Wins& wins) {
  if (!reaches_all(wins, true) || !reaches_all(wins, false)) return std::nullopt;
  std::vector<double> s(wins.size(), 0);
  double now = log_likelihood(wins, s);
  for (int step = 0; step < 200; ++step) {
    const Slope slope = slope_at(wins, s);
    std::vector<double> move(s.size(), 0);
    double most = 0;
    for (size_t a = 0; a < s.size(); ++a) {
      for (size_t b = 0; b < s.size(); ++b) move[a] += slope.covariance[a][b] * slope.gradient[b];
      most = std::max(most, std::abs(move[a]));
    }
    if (most < 1e-12) break;
    // The likelihood is concave: a step that overshoots is halved.
    for (double scale = 1; scale > 1e-6; scale /= 2) {
      std::vector<double> next = s;
      for (size_t a = 0; a < s.size(); ++a) next[a] += scale * move[a];
      const double then = log_likelihood(wins, next);
      if (then < now && scale > 2e-6) continue;
      s = std::move(next);
      now = then;
      break;
    }
  }
  return s;
}

Wins count_wins(int64_t models, std::span<const Vote> votes, std::span<const int32_t> times) {
  const auto n = static_cast<size_t>(models);
  Wins wins(n, std::vector<double>(n, 0));
  for (size_t i = 0; i < votes.size(); ++i) {
    const Vote& vote = votes[i];
    const double weight = times.empty() ? 1 : times[i];
    wins[static_cast<size_t>(vote.first)][static_cast<size_t>(vote.second)] += weight * vote.share;
    wins[static_cast<size_t>(vote.second)][static_cast<size_t>(vote.first)] +=
        weight * (1 - vote.share);
  }
  return wins;
}

void check_votes(int64_t models, std::span<const Vote> votes) {
  for (const Vote& vote : votes) {
    const bool known = vote.first >= 0 && vote.first < models && vote.second >= 0 &&
                       vote.second < models && vote.first != vote.second;
    KEJU_CHECK(known && vote.share >= 0 && vote.share <= 1, "a vote is between two of the models");
  }
}

}  // namespace

double elo(double strength) { return 1000 + 400 * strength / std::log(10.0); }

std::optional<std::vector<Strength>> bradley_terry(int64_t models,
                                                   std::span<const Vote> votes,
                                                   const BootstrapOptions& options,
                                                   std::string& why) {
  check_votes(models, votes);
  const Wins wins = count_wins(models, votes, {});
  const auto best = models < 2 ? std::nullopt : fit(wins);
  if (!best) {
    why = "some models never lose to, or never meet, the others: their strengths have no bound";
    return std::nullopt;
  }
  std::vector<int64_t> prompts;
  for (const Vote& vote : votes) prompts.push_back(vote.prompt);
  std::vector<std::vector<double>> replicates(best->size());
  resample(
      votes.size(), {.clusters = prompts}, options, [&](int64_t, std::span<const int32_t> times) {
        const auto s = fit(count_wins(models, votes, times));
        for (size_t m = 0; s && m < s->size(); ++m) replicates[m].push_back((*s)[m]);
      });
  const Slope slope = slope_at(wins, *best);
  std::vector<Strength> out(best->size());
  for (size_t m = 0; m < out.size(); ++m) {
    out[m].value = (*best)[m];
    out[m].se = std::sqrt(slope.covariance[m][m]);
    out[m].interval = {out[m].value - kZ95 * out[m].se, out[m].value + kZ95 * out[m].se};
    if (replicates[m].size() < 2) continue;
    const Interval drawn = percentile_interval(replicates[m]);
    out[m].interval = {std::min(out[m].interval.low, drawn.low),
                       std::max(out[m].interval.high, drawn.high)};
  }
  return out;
}

}  // namespace keju
