// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "report/chart.h"
#include "score/statistics/paired.h"

namespace keju {

inline constexpr const char* kHistorySchema = "keju.history/1";

// One run's score on one exam, and the step from the run before it that sat the same exam.
struct HistoryPoint {
  std::string run, model, commit;
  double started_unix_s = 0;
  bool complete = false;
  std::optional<double> score, low, high;
  std::optional<PairedDifference> step;  // this less the one before, on the items of both
  double p_adjusted = 1;                 // Holm over the steps of this exam
  std::string note;                      // why there is no step
};

struct HistoryLine {
  std::string exam, average;
  bool bits = false;                 // bits per byte: lower is better
  std::vector<HistoryPoint> points;  // by time
};

// One line per exam (same key, same questions asked in the same words). Errors: those of
// read_answers.
std::vector<HistoryLine> read_history(const std::vector<std::filesystem::path>& runs);

Json to_json(const std::vector<HistoryLine>& lines);
std::string to_markdown(const std::vector<HistoryLine>& lines);

// Each exam's scores with their intervals as a chart; "*" marks a step that chance does not
// explain (p_adjusted < 0.05).
std::vector<Chart> to_charts(const std::vector<HistoryLine>& lines);

}  // namespace keju
