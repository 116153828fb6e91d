// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gate/baseline.h"
#include "score/statistics/paired.h"
#include "score/statistics/sequential.h"

// The rule of the gate, apart from runs and files. With margin m, level alpha, and the difference d
// of the candidate's share of right answers from the baseline's:
//   pass:       d > -m is shown at level alpha
//   regression: not that, and d < 0 is shown at level alpha
//   undecided:  neither
// At d = 0 a regression is called with chance at most alpha, at d = -m a pass is. At the smallest
// margin that a plan allows, equals pass and a loss of m is called a regression with chance
// `power`.
namespace keju {

enum class Verdict { kPass = 0, kRegression = 1, kUndecided = 2 };
std::string_view name(Verdict verdict);  // "pass", "regression", "undecided"

struct GateRules {
  double alpha = 0.05;
  double power = 0.8;
  std::optional<double> margin;  // none: the smallest that can be decided
  bool sequential = false;       // looks on the way take a fifth of alpha
};

struct GatePlan {
  int64_t items = 0, clusters = 0;
  Pilot pilot;          // the noise that was reckoned with
  double smallest = 0;  // margin that can be decided with `power`: also the detectable loss
  double margin = 0;    // the one that holds
  double alpha_final = 0.05, alpha_looks = 0;
};

// Errors: Error(kUsage) for a margin below the smallest that can be decided, before time is spent.
GatePlan plan_gate(std::span<const int64_t> clusters, const Pilot& pilot, const GateRules& rules);

// What is assumed of items that nobody has compared yet: `discordance` of them differ, and members
// of a cluster move together with an intraclass correlation of one half.
Pilot assumed_pilot(std::span<const int64_t> clusters, double discordance);

Verdict judge(const PairedDifference& difference, double margin, double alpha);

// Looks on the way, valid however many there are: clusters must come in an order that was drawn
// before any answer was known. The chance of a wrong pass, and that of a wrong regression, is at
// most alpha each.
class SequentialGate {
 public:
  // `largest`: items of the largest cluster.
  SequentialGate(double margin, double alpha, int64_t largest);
  // Σ (candidate - baseline) over a cluster's items, each difference in [-1, 1].
  void add_cluster(double difference, int64_t items);
  std::optional<Verdict> look() const;  // kPass or kRegression once either is shown

 private:
  double margin_, alpha_;
  BettingTest pass_, regression_;
};

// Clusters in the order of a seeded draw: the indices of the items of each.
std::vector<std::vector<size_t>> drawn_order(std::span<const int64_t> clusters, uint64_t seed);

}  // namespace keju
