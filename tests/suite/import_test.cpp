// SPDX-License-Identifier: MIT
// Logs that lm-evaluation-harness 0.4.13 wrote of our own sample questions with its dummy model
// (tests/suite/lm_eval_logs): suites made of them ask what it asked.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "suite/exam.h"
#include "suite/import_samples.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

const std::string kLogs = "tests/suite/lm_eval_logs/";

ImportedSuite import(const std::string& task) {
  const Json results = parse_json(read_file(kLogs + "results.json"), "results.json");
  return import_lm_eval_samples(
      read_file(kLogs + "samples_" + task + ".jsonl"), task + ".jsonl", task, results);
}

std::unique_ptr<Exam> opened(const TempFolder& folder,
                             const std::string& task,
                             const ImportedSuite& made,
                             const std::string& protocol = "official") {
  std::filesystem::create_directories(folder / task);
  write_file_atomically(folder / (task + ".yaml"), made.suite);
  write_file_atomically(folder / task / "dataset.yaml", made.card);
  write_file_atomically(folder / task / "test.jsonl", made.rows);
  ExamOptions options;
  options.suite = (folder / (task + ".yaml")).string();
  options.protocol = protocol;
  return Exam::open(options);
}

// Every line of the log against the item that it became.
void compare_with_log(const std::string& task, const Exam& exam) {
  std::ifstream log(kLogs + "samples_" + task + ".jsonl");
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    const Json sample = parse_json(line, task);
    const ExamItem item = exam.item(sample["doc_id"].get<int64_t>());
    EXPECT_EQ(sha256_hex(item.prompt), sample["prompt_hash"].get<std::string>()) << item.id;
    EXPECT_EQ(item.prompt, sample["arguments"]["gen_args_0"]["arg_0"].get<std::string>());
    for (size_t i = 0; i < item.continuations.size(); ++i) {
      const Json& request = sample["arguments"]["gen_args_" + std::to_string(i)];
      EXPECT_EQ(item.continuations[i], request["arg_1"].get<std::string>());
    }
    const std::string target = sample["target"].get<std::string>();
    if (exam.protocol().task == Task::kChoose) {
      EXPECT_EQ(std::to_string(item.gold), target);
    } else if (exam.protocol().task == Task::kGenerate) {
      EXPECT_EQ(item.answer, target);
    }
  }
  EXPECT_GE(lines, 3);
}

TEST(ImportSamples, ChoicesWithTheHarnessDelimiter) {
  TempFolder folder;
  const ImportedSuite made = import("s_choice");
  EXPECT_TRUE(made.notes.empty());
  const auto exam = opened(folder, "s_choice", made);
  EXPECT_EQ(exam->size(), 3);
  EXPECT_TRUE(exam->data_hash_matches_card());
  EXPECT_EQ(exam->item(0).options[0], "A") << "acc_norm counts the choice without its space";
  EXPECT_EQ(exam->protocol().also, (std::vector<ChoiceScore>{ChoiceScore::kPerChar}));
  compare_with_log("s_choice", *exam);
}

TEST(ImportSamples, TasksWithPythonCode) {
  TempFolder folder;
  const ImportedSuite made = import("s_code");
  EXPECT_TRUE(made.notes.empty());
  const auto exam = opened(folder, "s_code", made);
  EXPECT_EQ(exam->protocol().also.back(), ChoiceScore::kPerByte) << "acc_bytes";
  compare_with_log("s_code", *exam);
}

TEST(ImportSamples, GenerationWithTheLoggedFilters) {
  TempFolder folder;
  const ImportedSuite made = import("s_problems");
  EXPECT_TRUE(made.notes.empty());
  const auto strict = opened(folder, "s_problems", made);
  EXPECT_EQ(strict->protocol().extract, "first_stripped:#### (\\-?[0-9\\.\\,]+)");
  EXPECT_EQ(strict->protocol().compare, "exact_match\nignore_case\nignore:,\nignore:\\.$");
  EXPECT_EQ(strict->protocol().generate.stop, (std::vector<std::string>{"Question:", "\n\n"}));
  EXPECT_EQ(strict->protocol().generate.max_tokens, 99);
  compare_with_log("s_problems", *strict);
  const auto flexible = opened(folder, "s_problems", made, "flexible-extract");
  EXPECT_EQ(flexible->protocol().extract, "last_stripped:(-?[$0-9.,]{2,})|(-?[0-9]+)");
}

TEST(ImportSamples, OtherMetricsAreNamed) {
  TempFolder folder;
  const ImportedSuite made = import("s_results");
  EXPECT_EQ(made.notes, std::vector<std::string>{"metric \"hit\": not scored"});
  compare_with_log("s_results", *opened(folder, "s_results", made));
}

TEST(ImportSamples, RollingTexts) {
  TempFolder folder;
  const auto exam = opened(folder, "s_text", import("s_text"));
  EXPECT_EQ(exam->protocol().task, Task::kPerplexity);
  compare_with_log("s_text", *exam);
}

std::string error_of(const std::string& log) {
  try {
    import_lm_eval_samples(log, "log.jsonl", "x", Json());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInput);
    return error.what();
  }
  return "(no error)";
}

TEST(ImportSamples, WhatCannotBeTakenIsRefusedByName) {
  EXPECT_EQ(error_of(read_file(kLogs + "samples_s_two.jsonl")),
            "log.jsonl:1: arguments: found contexts that differ between options, need one context");
  std::string changed = read_file(kLogs + "samples_s_choice.jsonl");
  changed.replace(changed.find("以下是物理题"), 3, "从");
  EXPECT_NE(error_of(changed).find("log.jsonl:1: prompt_hash: found "), std::string::npos);
  EXPECT_EQ(error_of(""), "log.jsonl:1: found no samples, need one");
  EXPECT_EQ(error_of("[]\n"), "log.jsonl:1: found no object, need a sample");
  EXPECT_EQ(error_of("{\"doc_id\": 0, \"arguments\": {}}\n"),
            "log.jsonl:1: arguments: found none, need requests");
}

}  // namespace
}  // namespace keju
