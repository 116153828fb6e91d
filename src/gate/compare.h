// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gate/answers.h"
#include "gate/likeness.h"
#include "score/statistics/paired.h"

namespace keju {

inline constexpr const char* kCompareSchema = "keju.compare/1";

struct ComparedRow {
  std::string exam, part, kind;                // kind: "suite", "category" or "subject"
  std::string average;                         // "macro" or "micro"
  bool bits = false;                           // values are bits per byte, not shares
  double a = 0, b = 0;                         // that average over the joined items
  std::optional<PairedDifference> difference;  // b - a; none of fewer than two items or clusters
  double p_adjusted = 1;  // suites: Holm over suites; categories and subjects: BH over their kind
};

struct Flip {
  std::string exam;
  ItemPair pair;
};

// The options' probabilities of two runs against each other; A is the reference.
struct QuantView {
  std::string exam;
  int64_t items = 0, same_choice = 0;
  int64_t right_to_wrong = 0, wrong_to_right = 0;
  // Kullback-Leibler divergence of B's distribution over the options from A's, in nats.
  MeanEstimate kl;
  std::vector<std::pair<double, double>> kl_percentiles, delta_p_percentiles;  // (percent, value)
  MeanEstimate delta_p;  // probability of the right option among the options, B less A
  double delta_p_rms = 0;
};

struct Comparison {
  std::vector<Unlikeness> unlike;
  std::vector<ComparedRow> rows;
  std::vector<Flip> flips;
  std::vector<QuantView> quant;
  std::vector<std::pair<std::string, Joined>> joined;  // by exam
  bool refused = false;  // protocols differ and that was not allowed: no rows
};

struct CompareOptions {
  bool across_protocols = false;  // compare what can be joined, and say what differs
  bool quant = false;
};

// A against B on the exams that both sat. The runs outlive the result.
// Errors: Error(kInput) if they share no exam or no item.
Comparison compare_runs(const AnsweredRun& a, const AnsweredRun& b, const CompareOptions& options);

// The paired difference of one set of items. Items weigh as their suite says (points, bytes).
std::optional<PairedDifference> difference_of(const std::vector<ItemPair>& pairs, bool macro);

Json to_json(const Comparison& comparison, const AnsweredRun& a, const AnsweredRun& b);
// `most_flips`: how many flips to list with both outputs.
std::string to_markdown(const Comparison& comparison,
                        const AnsweredRun& a,
                        const AnsweredRun& b,
                        int64_t most_flips);

}  // namespace keju
