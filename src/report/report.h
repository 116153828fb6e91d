// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace keju {

struct ReportOptions {
  std::string title_zh = "大模型评测榜";
  std::string title_en = "Language model leaderboard";
};

// Writes a leaderboard of any set of run folders into `out`, each file atomically:
//   leaderboard.html  one self-contained page
//   leaderboard.md    the same tables for a README
//   leaderboard.json  the same numbers (reports/leaderboard.schema.json)
//   leaderboard.csv   the overall table, and csv/<board>.csv every table
// Returns the files. The same runs give the same bytes, in whatever order they are named.
// Errors: Error(kUsage) for no run or one named twice, those of read_results, Error(kIo).
std::vector<std::filesystem::path> write_report(const std::vector<std::filesystem::path>& runs,
                                                const std::filesystem::path& out,
                                                const ReportOptions& options = {});

}  // namespace keju
