// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Formats of `keju export`, sorted: "ceval-submission", "csv", "lm-eval".
const std::vector<std::string>& export_formats();

// Writes a run folder in another tool's format into `out`, each file atomically, and returns what
// was written. The same run gives the same bytes. Errors: Error(kUsage) for an unknown format or a
// run that the format cannot hold, with the reason. Of a private suite's items only ids, values and
// the hashes of prompts leave the run.
//   lm-eval           <model>/results_<time>.json and samples_<task>_<time>.jsonl, field for field
//                     as lm-evaluation-harness 0.4.13 writes them (protocols §14)
//   ceval-submission  submission.json, and submission.log with every letter that was made up
//   csv               items.csv, one line an item; cells are safe to open in a spreadsheet
std::vector<std::filesystem::path> export_run(const std::filesystem::path& run,
                                              const std::string& format,
                                              const std::filesystem::path& out);

// For what would show items or outputs. Errors: Error(kUsage) if a suite of the run is private.
void refuse_private(const std::filesystem::path& run, std::string_view what);

std::vector<std::filesystem::path> export_lm_eval(const std::filesystem::path& run,
                                                  const std::filesystem::path& out);
std::vector<std::filesystem::path> export_ceval_submission(const std::filesystem::path& run,
                                                           const std::filesystem::path& out);
std::vector<std::filesystem::path> export_csv(const std::filesystem::path& run,
                                              const std::filesystem::path& out);

}  // namespace keju
