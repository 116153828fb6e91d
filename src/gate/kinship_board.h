// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "gate/answers.h"
#include "score/statistics/kinship.h"

namespace keju {

inline constexpr const char* kKinshipSchema = "keju.kinship/1";

struct KinshipBoard {
  std::vector<std::string> runs, models;
  std::vector<std::string> exams;  // pooled: those of choices that all runs sat alike
  int64_t items = 0;
  std::vector<KinshipPair> pairs;
};

// Errors: Error(kInput) if the runs share no exam of choices with the same questions.
KinshipBoard kinship_board(const std::vector<AnsweredRun>& runs, const BootstrapOptions& options);

Json to_json(const KinshipBoard& board);
std::string to_markdown(const KinshipBoard& board);

}  // namespace keju
