// SPDX-License-Identifier: MIT
#include "gate/verdict.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "base/rng.h"
#include "score/statistics/power.h"

namespace keju {
namespace {

// Looks get this share of alpha, the final analysis the rest: a loss of 4 % of the margin buys the
// right to stop early.
constexpr double kLooksShare = 0.2;

std::vector<std::vector<size_t>> members(std::span<const int64_t> clusters) {
  std::unordered_map<int64_t, size_t> index;
  std::vector<std::vector<size_t>> out;
  for (size_t i = 0; i < clusters.size(); ++i) {
    const size_t at = index.emplace(clusters[i], index.size()).first->second;
    if (at == out.size()) out.emplace_back();
    out[at].push_back(i);
  }
  return out;
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kRegression:
      return "regression";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "undecided";
}

Pilot assumed_pilot(std::span<const int64_t> clusters, double discordance) {
  constexpr double kCorrelation = 0.5;
  double squares = 0;
  for (const auto& cluster : members(clusters))
    squares += static_cast<double>(cluster.size() * cluster.size());
  const double size = clusters.empty() ? 1 : squares / static_cast<double>(clusters.size());
  return {discordance, 1 + (size - 1) * kCorrelation, "assumed"};
}

GatePlan plan_gate(std::span<const int64_t> clusters, const Pilot& pilot, const GateRules& rules) {
  if (clusters.empty()) throw fail(Code::kUsage, "gate: found no item, need at least one");
  GatePlan plan;
  plan.items = static_cast<int64_t>(clusters.size());
  plan.clusters = static_cast<int64_t>(members(clusters).size());
  plan.pilot = pilot;
  plan.alpha_looks = rules.sequential ? kLooksShare * rules.alpha : 0;
  plan.alpha_final = rules.alpha - plan.alpha_looks;
  PowerQuestion question;
  question.count = static_cast<double>(plan.items) / std::max(1.0, pilot.design_effect);
  // A pilot without a single difference still leaves room for one.
  question.discordance = std::max(pilot.discordance, 1 / static_cast<double>(plan.items));
  question.alpha = plan.alpha_final;
  // A little more than asked, for design effects that are estimated.
  question.power = std::min(0.999, rules.power + 0.01);
  if (plan.clusters < plan.items)
    question.df = std::max<double>(1, static_cast<double>(plan.clusters - 1));
  plan.smallest = minimum_detectable(question);
  plan.margin = rules.margin.value_or(plan.smallest);
  if (plan.margin < plan.smallest) {
    throw fail(
        Code::kUsage,
        "--margin: found {:.4f}, need {:.4f} at least: with {} items in {} clusters of which "
        "{:.1f} % differ ({}), a smaller one cannot be decided with power {:.2f}. Give more "
        "items or suites, or a wider margin",
        plan.margin,
        std::ceil(plan.smallest * 1e4) / 1e4,
        plan.items,
        plan.clusters,
        100 * pilot.discordance,
        pilot.from,
        rules.power);
  }
  return plan;
}

Verdict judge(const PairedDifference& difference, double margin, double alpha) {
  if (difference.lower(alpha) > -margin) return Verdict::kPass;
  return difference.upper(alpha) < 0 ? Verdict::kRegression : Verdict::kUndecided;
}

SequentialGate::SequentialGate(double margin, double alpha, int64_t largest)
    : margin_(margin),
      alpha_(alpha),
      pass_(std::max(1e-9, 1 - margin) * static_cast<double>(largest)),
      regression_(static_cast<double>(largest)) {}

void SequentialGate::add_cluster(double difference, int64_t items) {
  const auto n = static_cast<double>(items);
  KEJU_CHECK(std::abs(difference) <= n * (1 + 1e-12), "differences lie in [-1, 1]");
  pass_.add(difference + margin_ * n);
  regression_.add(-difference);
}

std::optional<Verdict> SequentialGate::look() const {
  if (!(alpha_ > 0)) return std::nullopt;
  if (pass_.decided(alpha_)) return Verdict::kPass;
  if (regression_.decided(alpha_)) return Verdict::kRegression;
  return std::nullopt;
}

std::vector<std::vector<size_t>> drawn_order(std::span<const int64_t> clusters, uint64_t seed) {
  auto out = members(clusters);
  for (size_t i = out.size(); i > 1; --i)  // Fisher and Yates
    std::swap(out[i - 1], out[uniform_below(seed, 0x6761'7465, i, i)]);
  return out;
}

}  // namespace keju
