// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

// What became of one item. Never NaN, never a silent zero.
struct Scored {
  double value = 0;   // 1 right, 0 wrong, a graded score in [0, 1], or bits per byte
  double weight = 1;  // averages are Σ weight·value / Σ weight (bytes, for bits per byte)
  int choice = -1;    // chosen option, for choices
  std::vector<double> option_scores;  // by the headline rule
  bool tie = false;                   // the best option was not alone (the first one was taken)
  std::string extracted;              // what was read out of a generated text
  // Values under the other rules that the protocol names, in its order.
  std::vector<double> also;
};

struct Unscored {
  std::string reason;            // "no label", "no answer extracted", "ambiguous answer", …
  bool counts_as_wrong = false;  // an answer that could not be read is a wrong one; no label is not
  double weight = 1;             // as a Scored's
};

struct Failed {
  std::string error;
};

using Outcome = std::variant<Scored, Unscored, Failed>;

// Judges a response by the exam's protocol. Pure: the same arguments give the same outcome.
Outcome score_item(const ExamItem& item, const Protocol& protocol, const Response& response);

}  // namespace keju
