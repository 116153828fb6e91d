// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

// Per-item logs of other harnesses.
namespace keju {

struct TheirItem {
  std::string task;  // from the file's name: "cmmlu_agronomy"
  int64_t doc_id = 0;
  Json doc;            // null where the log has none
  std::string prompt;  // of the first request
  std::vector<std::string> continuations;
  std::vector<double> logprobs;          // sums, one per continuation
  std::optional<std::string> text;       // generated
  std::optional<std::string> extracted;  // what their filter made of it
  std::optional<double> score;           // their metric of this item
};

// lm-evaluation-harness's samples_<task>_<time>.jsonl (0.4.x), or OpenCompass's predictions
// ({"0": {"origin_prompt", "prediction", …}}, or per label with "prompt" and "PPL"). PPL there is a
// mean over the whole sequence, so those items have no logprobs. `file`: its path, for messages and
// the task's name. Errors: Error(kInput) with file and line.
std::vector<TheirItem> read_samples(std::string_view text, const std::string& file);

// The average that a results_<time>.json states: its first group's, or its only task's first
// metric.
std::optional<double> stated_average(const Json& results);

}  // namespace keju
