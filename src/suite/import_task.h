// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace keju {

// A suite made of a task file: name.yaml, name/dataset.yaml and name/<split>.jsonl.
struct ImportedTask {
  std::string name, suite, card;
  std::map<std::string, std::string> rows;  // by split
  std::vector<std::string> notes;
};

// Makes a suite of a task file of lm-evaluation-harness (0.4.x YAML) and its documents, `rows` /
// <split>.jsonl. What is taken: include (beside the file; the including file goes before), task,
// output_type (multiple_choice, generate_until), doc_to_text, doc_to_target and doc_to_choice (a
// column, Jinja, or a list), description, target_delimiter, fewshot_delimiter, num_fewshot,
// fewshot_config (sampler first_n or default, split or samples), the splits, generation_kwargs,
// filter_list, and metric_list with acc, acc_norm, acc_bytes and exact_match and its options.
// Templates are rendered now, as the harness does (Jinja with strict variables, trailing line break
// kept), so that the rows hold what is asked. Errors: Error(kUnsupported) with file and line that
// names a key, value, filter, metric or `!function` that is not among these; Error(kInput) for a
// document whose target is none of its choices; Error(kIo).
ImportedTask import_lm_eval_task(const std::filesystem::path& file,
                                 const std::filesystem::path& rows,
                                 const std::string& name);

}  // namespace keju
