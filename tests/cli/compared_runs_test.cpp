// SPDX-License-Identifier: MIT
// What is done with finished runs, by the program, on two real models: compare, gate, history,
// rescore, report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"
#include "base/mapped_file.h"
#include "tests/cli/program.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

#if !defined(__SANITIZE_ADDRESS__)

using testing::HasSubstr;

class ComparedRuns : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!missing("models").empty()) return;
    folder_ = new TempFolder;
    examine(kSmol, "smol", "");
    examine(kGemma, "gemma", "");
    examine(kSmol, "part", " --limit 3");
  }
  static void TearDownTestSuite() { delete folder_; }

  static void examine(const char* name, const char* to, const std::string& more) {
    const Output out =
        run("run --suite keju-completion --model " + model(name) + " --out " + path(to) + more);
    EXPECT_EQ(out.code, 0) << out.text;
  }
  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  void SetUp() override { KEJU_NEED(models); }

  static inline TempFolder* folder_ = nullptr;
};

TEST_F(ComparedRuns, CompareTellsTheModelsApart) {
  const Output out = run("compare " + path("smol") + " " + path("gemma") + " --quant");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("other weights"));
  EXPECT_THAT(out.text, HasSubstr("items changed sides"));
  const Output same = run("compare " + path("smol") + " " + path("smol"));
  EXPECT_THAT(same.text, HasSubstr("No item changed sides"));
  const Output other = run("compare " + path("smol") + " " + path("part"));
  EXPECT_EQ(other.code, 3) << other.text;
}

TEST_F(ComparedRuns, GateSaysItByItsExitCode) {
  const std::string base = "gate --baseline " + path("gemma") + " --candidate ";
  const Output worse = run(base + path("smol") + " --junit " + path("gate.xml"));
  EXPECT_EQ(worse.code, 1) << worse.text;
  EXPECT_THAT(read_file(path("gate.xml")), HasSubstr("<failure"));
  EXPECT_EQ(run(base + path("gemma")).code, 0);
  EXPECT_EQ(run(base + path("part")).code, 3);
  const Output fine = run(base + path("smol") + " --margin 0.001");
  EXPECT_EQ(fine.code, 4) << fine.text;
  EXPECT_THAT(fine.text, HasSubstr("margin"));
  // A baseline file says what its run says.
  const std::string file = path("baseline.json");
  EXPECT_EQ(run("gate --baseline " + path("gemma") + " --write-baseline " + file).code, 0);
  EXPECT_LT(std::filesystem::file_size(file), 100000u);
  EXPECT_EQ(run("gate --baseline " + file + " --candidate " + path("smol")).code, 1);
  EXPECT_EQ(run("gate --baseline " + file + " --candidate " + path("gemma")).code, 0);
}

TEST_F(ComparedRuns, HistoryAndReportTakeThemAll) {
  const Output history = run("history " + path("smol") + " " + path("gemma"));
  EXPECT_EQ(history.code, 0) << history.text;
  const std::string both = path("smol") + " " + path("gemma") + " --out ";
  EXPECT_EQ(run("report " + both + path("board")).code, 0);
  EXPECT_EQ(run("report " + both + path("again")).code, 0);
  const std::string page = read_file(path("board") + "/leaderboard.html");
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy"));
  EXPECT_EQ(page, read_file(path("again") + "/leaderboard.html"));
}

TEST_F(ComparedRuns, RescoringWithoutAChangeChangesNothing) {
  const Output out = run("rescore " + path("smol") + " --out " + path("scored"));
  EXPECT_EQ(out.code, 0) << out.text;
  const Json parent = read_json(path("smol") + "/results.json");
  const Json child = read_json(path("scored") + "/results.json");
  EXPECT_EQ(parent["digest"], child["digest"]);
  EXPECT_EQ(parent["exams"][0]["score"], child["exams"][0]["score"]);
}

#endif

}  // namespace
}  // namespace keju
