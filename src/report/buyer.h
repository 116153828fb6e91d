// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "report/leaderboard.h"
#include "score/statistics.h"

namespace keju {

// What a right answer of a model cost: all that its runs spent over all that they got right. Bits
// per byte have no right answers. The interval is Wilson's for the share of right answers; the
// money is what it is.
struct CorrectCost {
  std::string currency;
  std::optional<double> cost;  // none without a price
  double correct = 0, seconds = 0, tokens = 0;
  int64_t items = 0;
  Interval share;  // of right answers
};
CorrectCost correct_cost(const ModelRow& model);

// The p-quantile of `rising` values and its 95 % interval by order statistics (binomial, exact);
// without an upper end where there are too few values to have one.
struct QuantileEstimate {
  double value = 0;
  std::optional<double> low, high;
};
QuantileEstimate quantile(const std::vector<float>& rising, double p);

// One line of an acceptance file.
struct Requirement {
  enum class What { kScore, kTtft, kPricePerCorrect, kRefusalRate };
  What what = What::kScore;
  std::string suite;       // "": all (ttft, refusal_rate)
  std::string model;       // "": every model
  double percentile = 90;  // ttft
  std::optional<double> at_least, at_most;
};

// requirements:
//   - {what: score, suite: ceval, at_least: 60}
//   - {what: ttft, percentile: 90, at_most: 0.5}            seconds
//   - {what: price_per_correct, at_most: 0.002}             in the price's currency
//   - {what: refusal_rate, suite: gsm8k, at_most: 1}        per cent
// Errors: Error(kIo), Error(kInput) with file and line.
std::vector<Requirement> read_requirements(const std::filesystem::path& path);

enum class Met { kMet, kNotMet, kNotEstablished };

// Met where the whole interval keeps to the limit, not met where none of it does; otherwise, and
// without a measurement, not established.
Met judge(const Requirement& requirement,
          const std::optional<double>& low,
          const std::optional<double>& high);

}  // namespace keju
