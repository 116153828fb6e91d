// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gate/answers.h"
#include "gate/baseline.h"
#include "gate/verdict.h"

namespace keju {

inline constexpr const char* kGateSchema = "keju.gate/1";

struct GateOptions {
  GateRules rules;
  std::vector<std::string> suites;     // gated ones; empty: all of the baseline
  std::optional<double> discordance;   // assumed where no pilot says it; default 0.1
  double max_errors = 0;               // share of failed items; what fails counts as wrong
  std::optional<double> max_slowdown;  // share of the baseline's tokens/s that may be lost
  std::optional<double> max_cap_hits;  // share of items by which cap hits may grow
};

struct GateCheck {
  std::string name;  // "accuracy", "prefill speed", "cap hits", …
  Verdict verdict = Verdict::kPass;
  std::string detail;  // with its figures
};

struct GateSuiteRow {  // told, not judged: verdicts come from the pool
  std::string exam;
  double baseline = 0, candidate = 0;
  std::optional<PairedDifference> difference;
  double p_adjusted = 1;  // Holm
};

struct GateReport {
  std::string baseline, candidate;
  std::vector<std::string> invalid;  // why there is no verdict: exit 3
  std::optional<GatePlan> plan;
  std::optional<PairedDifference> pooled;
  std::vector<GateCheck> checks;
  std::vector<GateSuiteRow> suites;
  std::vector<std::string> notes;
  bool equal_digests = false;
  bool stopped_early = false;
  int64_t items_used = 0;
  std::optional<Verdict> verdict() const;  // none if invalid; the worst of the checks
  int exit_code() const;                   // 0, 1, 2; 3 if invalid
};

// The exams of a baseline that a gate looks at. Errors: Error(kUsage) for an unknown suite, for
// none that can be gated, and for one on which the baseline cannot be told from guessing.
std::vector<const BaselineExam*> gated_exams(const Baseline& baseline, const GateOptions& options);

// The pool's noise from a pilot run against the baseline. Errors: Error(kUsage) where the pilot did
// not sit the same exams whole.
Pilot pilot_of(const Baseline& baseline, const AnsweredRun& pilot, const GateOptions& options);
// The pilot to reckon with: the baseline's own, or an assumed one over these clusters.
Pilot usual_pilot(const Baseline& baseline,
                  std::span<const int64_t> clusters,
                  const GateOptions& options);

// Why a candidate's exams cannot be held against the baseline's; empty if they can. `entries`: the
// exams of the candidate's run.json.
std::vector<std::string> unlike_baseline(const Baseline& baseline,
                                         const std::vector<const BaselineExam*>& exams,
                                         const Json& entries);

// A cluster's label in the pool, where suites are kept apart.
int64_t pooled_cluster(int64_t cluster, int64_t exam);

// Judges a finished candidate.
GateReport run_gate(const Baseline& baseline,
                    const AnsweredRun& candidate,
                    const Json& candidate_results,
                    const GateOptions& options);

// Whether weights, tokenizer, template and arithmetic are the baseline's: then answers are, too.
bool same_examinee(const Json& fingerprint_a, const Json& fingerprint_b);

Json to_json(const GateReport& report);
std::string to_markdown(const GateReport& report);  // a comment for a pull request
std::string to_junit(const GateReport& report);     // JUnit XML, as CI systems read it
std::string describe(const GatePlan& plan);         // what can be decided, in a line

}  // namespace keju
