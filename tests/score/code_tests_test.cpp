// SPDX-License-Identifier: MIT
#include "score/code_tests.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "score/outcome.h"
#include "suite/exam.h"
#include "tests/support/require.h"

namespace keju {
namespace {

std::string why_not() {
  try {
    shared_sandbox();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

#define NEED_SANDBOX()                      \
  do {                                      \
    const std::string why = why_not();      \
    if (why.empty()) break;                 \
    if (required("sandbox")) FAIL() << why; \
    GTEST_SKIP() << why;                    \
  } while (false)

Outcome sit(const Exam& exam, const ExamItem& item, const std::string& text) {
  Response response;
  response.what = GenerateResult{.text = text};
  return score_item(item, exam.protocol(), response);
}

// Every reference solution passes its tests, and an empty body passes none.
TEST(CodeTests, HumanEvalReferenceSolutions) {
  KEJU_NEED(shared);
  NEED_SANDBOX();
  ExamOptions options;
  options.suite = "humaneval";
  options.data = shared_dir() / "data";
  const auto exam = Exam::open(options);
  int passed = 0, empty = 0;
  for (int64_t i = 0; i < exam->size(); ++i) {
    const ExamItem item = exam->item(i);
    const auto right = sit(*exam, item, item.doc["canonical_solution"].get<std::string>());
    ASSERT_TRUE(std::holds_alternative<Scored>(right)) << item.id;
    passed += std::get<Scored>(right).value == 1;
    EXPECT_EQ(std::get<Scored>(right).extracted, "passed") << item.id;
    const auto wrong = sit(*exam, item, "    pass\n");
    ASSERT_TRUE(std::holds_alternative<Scored>(wrong)) << item.id;
    empty += std::get<Scored>(wrong).value == 1;
  }
  std::printf("  HumanEval: %d of %d reference solutions pass, %d empty bodies\n",
              passed,
              static_cast<int>(exam->size()),
              empty);
  EXPECT_EQ(passed, 164);
  EXPECT_EQ(empty, 0);
}

TEST(CodeTests, OutcomesByName) {
  NEED_SANDBOX();
  ExamItem item;
  item.id = "code/1";
  item.answer =
      Json{{"before", "def f(x):\n"}, {"tests", "assert f(2) == 3"}, {"own", {"f"}}}.dump();
  Protocol protocol;
  protocol.task = Task::kGenerate;
  protocol.extract = "raw_text";
  protocol.compare = "python_tests";
  const auto outcome = [&](const std::string& text) {
    Response response;
    response.what = GenerateResult{.text = text};
    return std::get<Scored>(score_item(item, protocol, response));
  };
  EXPECT_EQ(outcome("    return x + 1").value, 1);
  EXPECT_EQ(outcome("    return x + 1").extracted, "passed");
  EXPECT_EQ(outcome("    return x").value, 0);
  EXPECT_EQ(outcome("    return x").extracted, "failed");
  EXPECT_EQ(outcome("    return y").extracted, "error: NameError");
  EXPECT_EQ(outcome("return x + 1").extracted, "error: IndentationError");
  EXPECT_EQ(outcome("    exit_now = __import__('os')._exit(0)").extracted,
            "error: the program ended");
  EXPECT_EQ(outcome("    while True: pass").extracted, "timed out");
}

TEST(CodeTests, TheRulesOfAnItemAreChecked) {
  EXPECT_THROW(code_task("{}", "", "here"), Error);
  EXPECT_THROW(code_task(R"({"tests": "", "own": [1]})", "", "here"), Error);
  const CodeTask task =
      code_task(R"({"before": "a\n", "tests": "t", "own": ["f"]})", "  b", "here");
  EXPECT_EQ(task.program, "a\n  b");
  EXPECT_EQ(task.prelude, "");
}

}  // namespace
}  // namespace keju
