// SPDX-License-Identifier: MIT
// A tool to run by hand: writes synthetic run folders for measuring `keju report`.
//   keju_make_runs OUT MODELS SUITES ITEMS    ITEMS: of each suite, in 50 subjects
// Ten runs are examined; the other folders are copies of them under other names.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/rng.h"
#include "lm/fake_model.h"
#include "run/runner.h"
#include "tests/support/fake_exam.h"

namespace keju {
namespace {

constexpr int kExamined = 10;

std::vector<FakeExamSpec> papers(int suites, int64_t items) {
  std::vector<FakeExamSpec> out;
  for (int s = 0; s < suites; ++s) {
    FakeExamSpec spec;
    spec.suite = fmt::format("suite{:02}", s);
    spec.title_zh = fmt::format("试卷 {}", s);
    spec.title_en = fmt::format("Suite {}", s);
    spec.protocol.id = spec.suite + "/official";
    if (s % 3 == 2) {
      spec.protocol.task = Task::kGenerate;
      spec.protocol.extract = "gsm8k_strict";
      spec.protocol.compare = "number_equal";
      spec.protocol.average = Average::kMicro;
    }
    spec.subjects.clear();
    spec.categories = {"STEM", "Social Science", "Humanities", "Other"};
    for (int64_t i = 0; i < 50; ++i) {
      const std::string id = fmt::format("subject{:02}", i);
      spec.subjects.push_back(
          {id, fmt::format("科目 {}", i), id, {spec.categories[i % 4]}, items / 50});
    }
    out.push_back(spec);
  }
  return out;
}

FakeScript examinee(int number) {
  FakeScript script;
  script.name = fmt::format("Model-{:03}", number);
  script.weights_digest = fmt::format("digest-of-{:03}", number);
  const double skill = 0.3 + 0.06 * number;
  const auto knows = [=](const std::string& prompt) {
    const uint64_t key = std::hash<std::string>()(prompt);
    return uniform(static_cast<uint64_t>(number), 1, key) < skill;
  };
  const auto row = [](const std::string& prompt) {
    return std::atoi(prompt.c_str() + prompt.find(' '));
  };
  script.score = [=](const std::string& prompt, const std::string& text) {
    const int right = row(prompt) % 4;
    const int choice = knows(prompt) ? right : (right + 1) % 4;
    return text[1] - 'A' == choice ? -0.5 : -1.0 - 0.1 * (text[1] - 'A');
  };
  script.generate = [=](const std::string& prompt) {
    return std::string("Let us work it out step by step, carefully. #### ") +
           std::to_string(row(prompt) + (knows(prompt) ? 0 : 1));
  };
  return script;
}

std::string renamed(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

void make(const std::filesystem::path& out, int models, int suites, int64_t items) {
  for (int m = 0; m < models; ++m) {
    const std::filesystem::path folder = out / fmt::format("run{:03}", m);
    if (m < kExamined) {
      RunOptions options;
      options.out = folder;
      const auto model = make_fake_model(examinee(m));
      std::vector<std::unique_ptr<Exam>> exams = fake_exams(papers(suites, items));
      run_exams(*model, exams, options);
      fmt::print("{}\n", folder.string());
      continue;
    }
    const std::filesystem::path from = out / fmt::format("run{:03}", m % kExamined);
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(from / "run.db", folder / "run.db");
    const std::string old = fmt::format("{:03}", m % kExamined), fresh = fmt::format("{:03}", m);
    for (const char* file : {"run.json", "results.json"}) {
      std::string text = renamed(read_file(from / file), "Model-" + old, "Model-" + fresh);
      write_file_atomically(folder / file, renamed(text, "digest-of-" + old, "digest-of-" + fresh));
    }
  }
}

}  // namespace
}  // namespace keju

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print("usage: keju_make_runs OUT MODELS SUITES ITEMS\n");
    return 4;
  }
  keju::make(argv[1], std::atoi(argv[2]), std::atoi(argv[3]), std::atoll(argv[4]));
  return 0;
}
