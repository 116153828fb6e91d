// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace keju {

// A suite made of somebody else's: the texts of its three files and what was left out.
struct ImportedSuite {
  std::string suite, card, rows;  // name.yaml, name/dataset.yaml, name/test.jsonl
  int64_t items = 0;
  std::vector<std::string> notes;  // "metric \"hit\": not scored: …"
};

// Makes a suite of lm-evaluation-harness's per-sample log (`samples_<task>_<time>.jsonl`, 0.4.x):
// contexts, continuations, stops and gold answers as they stand, so that tasks with Python code
// need none. `results` is the run's results_<time>.json with the task's filters and metric options,
// or null; then exact_match compares the text as it is. acc, acc_norm and exact_match are scored
// (and bits_per_byte of rolling texts); every other metric is named in `notes`.
// Every prompt_hash is checked against its context. Errors: Error(kInput) with file and line for a
// line that is no sample, a hash that differs, contexts that differ between the options of an item,
// and a filter that is not known.
ImportedSuite import_lm_eval_samples(std::string_view log,
                                     const std::string& where,
                                     const std::string& name,
                                     const Json& results);

// The extraction that a chain of lm-evaluation-harness's filters does, as a rule's steps; nothing,
// and a note, for a filter that is not known. And the comparison of exact_match with the options in
// a task's metric_list.
std::optional<std::string> lm_eval_rule(const Json& chain, std::vector<std::string>& notes);
std::string lm_eval_compare(const Json& metrics);

}  // namespace keju
