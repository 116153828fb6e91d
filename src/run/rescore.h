// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "run/errata.h"
#include "run/judging.h"

namespace keju {

struct RescoreOptions {
  std::filesystem::path run, out;
  // Another rule for the headline: of extraction (`last_number`, or patterns) for exams of
  // generated text, of log-likelihoods (`per_char`) for exams of options. Exams of the other kind
  // stay as they are.
  std::optional<std::string> rule;
  std::optional<Errata> errata;
  std::optional<Verdicts> verdicts;  // what judges said of the run's answers
};

struct RescoreSummary {
  int64_t items = 0;
  int64_t changed = 0;        // outcomes that are not the parent's
  int64_t errata_listed = 0;  // entries of the errata
  int64_t errata_found = 0;   // those whose item is in the run
  bool complete = false;
  std::string parent_digest, digest;
};

// Scores the stored outputs and log-probs of a run again, without weights, into a new run folder
// that names its parent. What it holds:
//   - Responses, sessions and timings are the parent's: the new run computed nothing.
//   - Its digest is taken as every run's. Without a rule it equals the parent's unless this version
//     scores differently; a rule gives every exam that it applies to another protocol id
//     ("gsm8k/official+last_number"), so that no table ranks it with the parent.
//   - Verdicts give the judged exams another protocol id, too
//   ("keju-open/official+rubric-0c1d2e3f",
//     by judge, prompt and opponent), and their items the outcomes that judges decided.
//   - Errata change no outcome and no digest. Results then hold each value a second time, without
//     the items that the errata name (`without_errata`).
// Items that failed stay failed; what the parent lacks stays missing.
// Errors: those of reading a run; Error(kUsage) for a rule that is unknown or fits no exam, for
// errata that name no item of the run, for an `out` that is not empty; Error(kInput) where the run
// did not keep what the rule needs; Error(kUnsupported) for a store of an earlier version.
RescoreSummary rescore(const RescoreOptions& options);

}  // namespace keju
