// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "suite/exam.h"

namespace keju {

// The options that say which papers are sat.
struct ExamChoice {
  std::vector<std::string> suites;
  std::string data, protocol = "official", split;
  std::vector<std::string> subjects;
  std::optional<int> shots;
  std::optional<int64_t> limit, samples;
  std::optional<double> temperature;
  bool chat = false;
  bool cyclic = false;
};

void add_exam_options(CLI::App& app, ExamChoice& choice);

// Opens all papers, groups expanded. Errors: those of Exam::open.
std::vector<std::unique_ptr<Exam>> open_exams(const ExamChoice& choice);

}  // namespace keju
