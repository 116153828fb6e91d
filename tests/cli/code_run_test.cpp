// SPDX-License-Identifier: MIT
// Suites that generate, end to end: programs are run in the sandbox, or the suite refuses.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "run/results.h"
#include "score/code_tests.h"
#include "tests/cli/program.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

std::filesystem::path one_mbpp_task(const TempFolder& folder) {
  const std::filesystem::path data = folder / "data";
  std::filesystem::create_directories(data / "mbpp");
  write_file_atomically(
      data / "mbpp/test.jsonl",
      R"({"task_id": 11, "text": "Write a function that adds.", "code": "def add(a, b):\n    return a + b", "test_list": ["assert add(1, 2) == 3", "assert add(0, 0) == 0", "assert add(-1, 1) == 0"], "test_setup_code": "", "challenge_test_list": []})");
  return data;
}

TEST(CodeSuites, WithoutASandboxTheyRefuseBeforeAModelIsOpened) {
  TempFolder folder;
  const std::string arguments = "run --model /nowhere.gguf --suite mbpp --shots 0 --data " +
                                one_mbpp_task(folder).string() + " --out " +
                                (folder / "run").string();
  const Output refused = run(arguments, "PATH=/nowhere");
  EXPECT_EQ(refused.code, 6) << refused.text;
  EXPECT_NE(refused.text.find("mbpp/official: sandbox: found no bwrap"), std::string::npos)
      << refused.text;
  EXPECT_FALSE(std::filesystem::exists(folder / "run"));
}

TEST(Suites, WhereTheDataIsMissingTheExitCodeSaysWhoseFaultItIs) {
  const Output without = run("run --model /nowhere.gguf --suite cmmlu");
  EXPECT_EQ(without.code, 4) << without.text;
  EXPECT_NE(without.text.find("--data: found nothing"), std::string::npos) << without.text;
  const Output nowhere = run("run --model /nowhere.gguf --suite cmmlu --data /nowhere");
  EXPECT_EQ(nowhere.code, 7) << nowhere.text;
  EXPECT_NE(nowhere.text.find("/nowhere/cmmlu: found no such folder"), std::string::npos)
      << nowhere.text;
}

TEST(CodeSuites, SamplesOfAGreedyProtocolAreAUsageError) {
  TempFolder folder;
  const Output refused =
      run("run --model /nowhere.gguf --suite mbpp --shots 0 --samples 2 --data " +
          one_mbpp_task(folder).string());
  EXPECT_EQ(refused.code, 4) << refused.text;
  EXPECT_NE(refused.text.find("temperature above 0"), std::string::npos) << refused.text;
}

TEST(CodeSuites, ShowNamesWhatEachVariantChanges) {
  TempFolder folder;
  const Output shown =
      run("suites show --suite mbpp --shots 0 --data " + one_mbpp_task(folder).string());
  EXPECT_EQ(shown.code, 0) << shown.text;
  EXPECT_NE(shown.text.find("variant mbpp/lm-eval"), std::string::npos) << shown.text;
  EXPECT_NE(shown.text.find("max tokens     256"), std::string::npos) << shown.text;
}

#if !defined(__SANITIZE_ADDRESS__)

TEST(CodeSuites, HumanEvalAndGsm8kEndToEndOnASlice) {
  KEJU_NEED(models);
  KEJU_NEED(shared);
  try {
    shared_sandbox();
  } catch (const Error& error) {
    if (required("sandbox")) FAIL() << error.what();
    GTEST_SKIP() << error.what();
  }
  TempFolder folder;
  const std::string data = " --data " + (shared_dir() / "data").string();
  const auto sit = [&](const std::string& exams, const std::string& out) {
    const Output output = run("run --model " + model(kSmol) + " " + exams + data + " --out " +
                              (folder / out).string());
    EXPECT_EQ(output.code, 0) << output.text;
    return read_results(folder / out);
  };
  const Json code = sit("--suite humaneval --limit 3 --samples 2 --temperature 0.8", "code");
  const Json& programs = code["exams"][0]["programs"];
  int64_t sum = 0;
  for (const auto& [kind, count] : programs.items()) sum += count.get<int64_t>();
  EXPECT_EQ(sum, 6) << programs.dump();
  EXPECT_EQ(code["exams"][0]["items"]["total"], 3);
  EXPECT_EQ(code["exams"][0]["pass_at_k"].size(), 2U);
  EXPECT_EQ(code["exams"][0]["pass_at_k"][0]["value"], code["exams"][0]["micro"]["value"]);

  const Json sums = sit("--suite gsm8k --limit 2", "sums");
  EXPECT_EQ(sums["exams"][0]["shots"], 8);
  EXPECT_EQ(sums["items"]["failed"], 0);
  EXPECT_TRUE(sums["complete"].get<bool>());
}

#endif

}  // namespace
}  // namespace keju
