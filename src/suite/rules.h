// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Names that a suite may give under `extract` and `compare`, sorted. What they do is score/'s
// business (score/extract.h, score/compare.h); the names stand here so that a suite file is checked
// whole when it is read.
const std::vector<std::string>& extract_rules();
const std::vector<std::string>& compare_rules();

// A rule may also be spelled out, one step a line, tried in order: `first:PATTERN` or
// `last:PATTERN` reads the first group of that match; `first_stripped:` and `last_stripped:`
// without white space at its ends. Empty for what is no such rule.
struct PatternStep {
  std::string pattern;
  bool last = false, stripped = false;
};
std::vector<PatternStep> pattern_steps(std::string_view rule);

// lm-evaluation-harness's exact_match with its options, one a line behind "exact_match":
// ignore_case, ignore_punctuation, ignore_numbers, and ignore:PATTERN (what it matches is taken
// out, in this order, before the others).
struct ExactMatch {
  bool ignore_case = false, ignore_punctuation = false, ignore_numbers = false;
  std::vector<std::string> ignore;
};
std::optional<ExactMatch> exact_match_rule(std::string_view rule);

// LawBench's comparison by labels (score/lawbench.h): "labels_f1", "labels_alone" or "entities_f1",
// then the labels, one a line.
struct LabelSet {
  enum class Kind { kF1, kAlone, kEntities };
  Kind kind = Kind::kF1;
  std::vector<std::string> labels;
};
std::optional<LabelSet> label_rule(std::string_view rule);

// An entry of also_extract: a rule, and the comparison that goes with it where it is not the
// protocol's own ("whole_text by cmrc_f1").
struct AlsoRule {
  std::string extract, compare;  // compare "": the protocol's
};
AlsoRule also_rule(const std::string& entry);

}  // namespace keju
