// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "lm/fake_model.h"
#include "report/report.h"
#include "run/runner.h"
#include "tests/support/fake_exam.h"
#include "tests/support/temp_folder.h"

// Examinees, papers and runs for the tests of reports.
namespace keju {

inline FakeExamSpec choose_spec(int64_t items = 60) {
  FakeExamSpec spec;
  spec.protocol.about = "Letters by log-prob.";
  spec.subjects[0].items = items;
  spec.subjects[1].items = items;
  return spec;
}

inline FakeExamSpec generate_spec() {
  FakeExamSpec spec;
  spec.suite = "sums";
  spec.title_zh = "算术";
  spec.title_en = "Sums";
  spec.protocol.id = "sums/official";
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "gsm8k_strict";
  spec.protocol.compare = "number_equal";
  spec.protocol.generate.max_tokens = 12;
  spec.protocol.average = Average::kMicro;
  return spec;
}

inline FakeExamSpec text_spec() {
  FakeExamSpec spec;
  spec.suite = "text";
  spec.protocol.id = "text/official";
  spec.protocol.task = Task::kPerplexity;
  spec.protocol.average = Average::kMicro;
  return spec;
}

inline int row_of(const std::string& prompt) { return std::stoi(prompt.substr(prompt.find(' '))); }

// Right in `skill` of ten rows; spends `bits` per byte.
inline FakeScript examinee(const std::string& name, int skill, double bits = 1) {
  FakeScript script;
  script.name = name;
  script.weights_digest = "weights of " + name;
  script.score = [=](const std::string& prompt, const std::string& text) {
    if (prompt.empty()) return -bits * std::log(2.0) * static_cast<double>(text.size());
    const int row = row_of(prompt);
    const int choice = row % 10 < skill ? row % 4 : (row + 1) % 4;
    return text[1] - 'A' == choice ? -1.0 : -2.0;
  };
  script.generate = [=](const std::string& prompt) -> std::string {
    const int row = row_of(prompt);
    if (row % 10 >= skill) return "a long way round to nowhere";
    return "#### " + std::to_string(row);
  };
  return script;
}

class Report : public testing::Test {
 protected:
  // Runs and returns the run's folder.
  std::filesystem::path run(const std::string& name,
                            FakeScript script,
                            std::vector<FakeExamSpec> specs,
                            int64_t stop_after = -1) {
    std::atomic<bool> cancel{false};
    if (stop_after >= 0) {
      script.before_response = [&](int64_t n) { cancel = n + 1 >= stop_after; };
    }
    const auto model = make_fake_model(std::move(script));
    RunOptions options;
    options.out = folder_ / name;
    options.cancel = &cancel;
    options.load_s = 1.5;
    run_exams(*model, fake_exams(std::move(specs)), options);
    return options.out;
  }

  Json json_of(const std::vector<std::filesystem::path>& runs) {
    write_report(runs, folder_ / "out");
    return read_json(folder_ / "out" / "leaderboard.json");
  }

  std::string text_of(const std::string& name) { return read_file(folder_ / "out" / name); }

  TempFolder folder_;
};

inline const Json& table_of(const Json& board, const std::string& id) {
  for (const Json& table : board["tables"]) {
    if (table["id"] == id) return table;
  }
  static const Json kNone;
  ADD_FAILURE() << "no table " << id;
  return kNone;
}

}  // namespace keju
