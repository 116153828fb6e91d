// SPDX-License-Identifier: MIT
// Items and outputs of a private suite leave a run neither in its results nor in reports or
// exports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "lm/fake_model.h"
#include "report/report.h"
#include "run/export.h"
#include "run/results.h"
#include "run/runner.h"
#include "run/store.h"
#include "suite/new_suite.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::Not;

// Words that occur in items and outputs and nowhere else.
const std::vector<std::string> kSecrets = {
    "qzquestion", "qzright", "qzwrong", "qzotherwise", "qzoutput", "秘密题", "1048573", "qzerror"};

constexpr const char* kChoices =
    "id,question,A,B,answer,subject\n"
    "1,秘密题 qzquestion one?,qzright,qzwrong,A,law\n"
    "2,秘密题 qzquestion two?,qzwrong,qzotherwise,B,law\n"
    "3,qzquestion three?,qzright,qzwrong,B,tax\n";
constexpr const char* kNumbers =
    "question,answer\n秘密题 qzquestion four?,1048573\nqzquestion five?,1048573\n";

std::filesystem::path write_suite(const TempFolder& folder,
                                  const std::string& name,
                                  const char* csv) {
  const NewSuite made = new_suite(csv, name + ".csv", name, true);
  std::filesystem::create_directories(folder / name);
  write_file_atomically(folder / (name + ".yaml"), made.suite);
  write_file_atomically(folder / name / "dataset.yaml", made.card);
  write_file_atomically(folder / name / "test.csv", made.rows);
  return folder / (name + ".yaml");
}

void run_private(const TempFolder& folder) {
  FakeScript script;
  script.generate = [](const std::string& prompt) -> std::string {
    if (prompt.find("five") != std::string::npos) throw std::runtime_error("qzerror");
    return "qzoutput 1048573";
  };
  const auto model = make_fake_model(script);
  std::vector<std::unique_ptr<Exam>> exams;
  for (const auto& [name, csv] : {std::pair("bank", kChoices), std::pair("sums", kNumbers)}) {
    ExamOptions options;
    options.suite = write_suite(folder, name, csv).string();
    exams.push_back(Exam::open(options));
  }
  RunOptions options;
  options.out = folder / "run";
  run_exams(*model, exams, options);
}

void expect_clean(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  for (const std::string& secret : kSecrets) {
    EXPECT_THAT(text, Not(HasSubstr(secret))) << file;
  }
}

TEST(PrivateSuite, NothingOfItsItemsLeavesTheRun) {
  const TempFolder folder;
  run_private(folder);
  // The store does hold them: a run must be able to be scored again.
  std::string kept;
  for_each_item(folder / "run", "", [&](const StoredItem& item) { kept += item.prompt; });
  EXPECT_THAT(kept, HasSubstr("qzquestion one?"));

  expect_clean(folder / "run" / "results.json");
  expect_clean(folder / "run" / "run.json");
  const ReportResult report = write_report({folder / "run"}, folder / "board");
  EXPECT_GT(report.files.size(), 3u);
  for (const auto& file : report.files) expect_clean(file);
  const auto files = export_run(folder / "run", "csv", folder / "csv");
  ASSERT_EQ(files.size(), 1u);
  expect_clean(files[0]);
  // Hashes and counts are there.
  EXPECT_THAT(read_file(files[0]), HasSubstr("bank/law/test/0"));
  std::string first;
  for_each_item(folder / "run", "", [&](const StoredItem& item) {
    if (first.empty()) first = sha256_hex(item.prompt);
  });
  EXPECT_THAT(read_file(files[0]), HasSubstr(first));
  const Json results = read_results(folder / "run");
  EXPECT_EQ(results["exams"][0]["private"], true);
  EXPECT_EQ(results["exams"][0]["items"]["total"], 3);
  EXPECT_EQ(results["exams"][0]["option_token_ids"], Json::array());
  EXPECT_EQ(results["exams"][1]["items"]["failed"], 1);
  EXPECT_DOUBLE_EQ(results["exams"][1]["micro"]["value"].get<double>(), 1.0);
}

TEST(PrivateSuite, FormatsThatAreMadeOfItemsRefuse) {
  const TempFolder folder;
  run_private(folder);
  const Error error = error_of([&] { export_run(folder / "run", "lm-eval", folder / "out"); });
  EXPECT_EQ(error.code(), Code::kUsage);
  EXPECT_THAT(error.what(), HasSubstr("private suite bank/official"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(NewSuite, TablesAreChecked) {
  const auto failed = [](const char* csv) {
    return std::string(error_of([&] { new_suite(csv, "t.csv", "t", false); }).what());
  };
  EXPECT_THAT(failed("question\nx\n"), HasSubstr("t.csv:1: column \"answer\""));
  EXPECT_THAT(failed("question,answer,C\nx,1,y\n"), HasSubstr("column \"C\""));
  EXPECT_THAT(failed("question,answer\nx\n"), HasSubstr("t.csv:2: found 1 columns"));
  EXPECT_THAT(failed("question,answer\nx, \n"), HasSubstr("t.csv:2: answer: found nothing"));
  EXPECT_THAT(failed("question,answer\n"), HasSubstr("found no items"));
  EXPECT_EQ(error_of([] { new_suite("question,answer\nx,1\n", "t", "../t", false); }).code(),
            Code::kUsage);
}

}  // namespace
}  // namespace keju
