// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "report/reference.h"

namespace keju {

struct ReportOptions {
  std::string title_zh = "大模型评测榜";
  std::string title_en = "Language model leaderboard";
  ModelCards cards = ModelCards::builtin();
  std::vector<ReferenceTable> published = builtin_reference(cards);
  std::string home;                   // a country code: models from elsewhere are unranked ("-")
  std::vector<std::string> unranked;  // names of models listed for reference only
  double open_share = 0.7;            // total = share · OPEN + (1 − share) · OPT
  size_t items = 100;                 // of each paper, in the item explorer
  bool blind = false;                 // models are called 甲, 乙, 丙
  std::optional<std::filesystem::path> acceptance;  // requirements, see acceptance.h
};

struct ReportResult {
  std::vector<std::filesystem::path> files;              // the page first
  std::vector<std::pair<std::string, std::string>> key;  // blind name, name
  struct Check {
    std::string model, requirement, found, verdict;
  };
  std::vector<Check> acceptance;
  bool all_met = true, any_failed = false;  // of the acceptance file's requirements
};

// Writes a leaderboard of any set of run folders into `out`, each file atomically:
//   leaderboard.html  one self-contained page; items/<board>.html where the items are too many for
//   it leaderboard.md, leaderboard.tex   the same tables for a README and a paper leaderboard.json
//   the same numbers (reports/leaderboard.schema.json) leaderboard.csv   the overall table, and
//   csv/<table>.csv every table charts/<chart>.zh.svg, .en.svg
// The same runs give the same bytes, in whatever order they are named.
// Errors: Error(kUsage) for no run, one named twice or a model that `unranked` names and nobody
// has; Error(kInput) for a bad acceptance file; those of read_results and the stores; Error(kIo).
ReportResult write_report(const std::vector<std::filesystem::path>& runs,
                          const std::filesystem::path& out,
                          const ReportOptions& options = {});

}  // namespace keju
