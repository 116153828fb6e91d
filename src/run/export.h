// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace keju {

// Formats of `keju export`, sorted: "ceval-submission", "csv", "lm-eval".
const std::vector<std::string>& export_formats();

// Writes a run folder in another tool's format into `out`, each file atomically, and returns what
// was written. The same run gives the same bytes. Errors: Error(kUsage) for an unknown format or a
// run that the format cannot hold, with the reason.
//   lm-eval           <model>/results_<time>.json and samples_<task>_<time>.jsonl, field for field
//                     as lm-evaluation-harness 0.4.13 writes them (protocols §14)
//   ceval-submission  submission.json, and submission.log with every letter that was made up
//   csv               items.csv, one line an item; cells are safe to open in a spreadsheet
std::vector<std::filesystem::path> export_run(const std::filesystem::path& run,
                                              const std::string& format,
                                              const std::filesystem::path& out);

std::vector<std::filesystem::path> export_lm_eval(const std::filesystem::path& run,
                                                  const std::filesystem::path& out);
std::vector<std::filesystem::path> export_ceval_submission(const std::filesystem::path& run,
                                                           const std::filesystem::path& out);
std::vector<std::filesystem::path> export_csv(const std::filesystem::path& run,
                                              const std::filesystem::path& out);

}  // namespace keju
