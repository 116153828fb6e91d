// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gate/samples.h"

namespace keju {

inline constexpr const char* kCauseSchema = "keju.compare-with/1";

// Where in the making of a number two harnesses part, in the order in which it is made.
enum class Stage { kData, kPrompt, kContinuation, kTruncation, kAnswer, kExtraction, kAverage };
std::string_view name(Stage stage);

struct Cause {
  Stage stage = Stage::kData;
  std::string what;     // "lost space", "dropped shot", "doubled BOS", …
  int64_t items = 0;    // whose first difference this is
  std::string example;  // an item's id
  std::string detail;   // what differs there: a diff, or figures
};

struct Explanation {
  std::string exam;
  int64_t ours = 0, theirs = 0, joined = 0, equal = 0;
  std::vector<Cause> causes;  // by stage, then by number of items; the first is the first cause
};

struct ExplainOptions {
  std::string exam;                      // key; "": the exam that joins most items
  double tolerance = 0.02;               // of a log-likelihood; 0.002 where both are float32
  std::optional<double> stated_average;  // theirs, as a share
};

// Joins a run to another harness's per-item log, by the texts of the rows, else by prompt, else by
// place in the subject, and names for each item the first stage at which the two differ.
// Errors: those of the run store; Error(kUsage) for an exam that the run lacks.
Explanation explain(const std::filesystem::path& run,
                    const std::vector<TheirItem>& theirs,
                    const ExplainOptions& options);

// What made their prompt of ours; `subject_names`: the subject's id and names.
struct PromptDifference {
  std::string what, detail;
};
PromptDifference classify_prompts(const std::string& ours,
                                  const std::string& theirs,
                                  const std::vector<std::string>& own_names,
                                  const std::vector<std::string>& foreign_names,
                                  int shots);

Json to_json(const Explanation& explanation);
std::string to_text(const Explanation& explanation);

}  // namespace keju
