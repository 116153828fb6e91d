// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "score/statistics/bootstrap.h"
#include "score/statistics/design.h"

// How alike two models are beyond being equally good: they are kin if they are wrong in the same
// way.
namespace keju {

// What one model did on the items, in the items' order.
struct Answers {
  std::vector<int> choice;                         // -1: none
  std::vector<std::vector<double>> option_scores;  // log-probs of the options; may be empty
};

struct Questions {
  std::vector<int> gold;     // index of the right option
  std::vector<int> options;  // how many there are, at least 2
};

struct Kinship {
  int64_t both_wrong = 0,
          same_wrong = 0;  // items where both erred, and chose the same wrong option
  double expected = 0;     // agreement among them if the two erred independently
  // (observed - expected) / (1 - expected): 0 for strangers, 1 for copies, with a 95 % interval.
  std::optional<double> excess;
  std::optional<Interval> excess_interval;
  // Pearson's correlation of the wrong options' log-probs, each less its item's mean: what both
  // hold more likely among the errors. 95 % by bootstrap over clusters.
  std::optional<double> correlation;
  std::optional<Interval> correlation_interval;
};

// `others`: further models on the same items. An error that tempts everybody says nothing of
// kinship, so what two models are expected to share on an item is what they share there with the
// others that err on it: an unbiased measure of how the item misleads and of the models' habits.
// Only items on which some other model errs are then counted. If kin of the two are among the
// others, they raise what is expected, and the excess is an underestimate. Without others the
// expectation is that of each model's habit of place (how often it chooses which place when it
// errs), and what tempts everybody is taken for kinship: an overestimate.
Kinship kinship(const Questions& questions,
                const Answers& first,
                const Answers& second,
                std::span<const Answers* const> others,
                std::span<const int64_t> clusters,
                const BootstrapOptions& options);

struct KinshipPair {
  size_t a = 0, b = 0;    // indices into the models
  int64_t witnesses = 0;  // other models that say what strangers share: no likely copies of either
  Kinship kinship;
};

// Every pair of `models`, judged with the others as witnesses. A model that is this alike to one of
// a pair (another quantisation of it, say) by habits of place alone, excess above 0.7, is no
// witness of what strangers share: it would make the pair look less alike than strangers are.
std::vector<KinshipPair> kinship_pairs(const Questions& questions,
                                       std::span<const Answers> models,
                                       std::span<const int64_t> clusters,
                                       const BootstrapOptions& options);

}  // namespace keju
