// SPDX-License-Identifier: MIT
// Suites whose outputs are run or checked by rules, and what --samples and the like change.
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "base/error.h"
#include "suite/exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

class Generation : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }

  ExamOptions options(const std::string& suite, const std::string& protocol = "official") {
    ExamOptions options;
    options.suite = suite;
    options.protocol = protocol;
    options.data = folder_.path();
    return options;
  }

  void put_mbpp() {
    std::string rows;
    for (int id = 1; id <= 5; ++id) {
      rows += fmt::format(
          R"({{"task_id": {0}, "text": "T{0}", "code": "def f{0}(): pass", "test_list": ["a{0}", "b{0}", "c{0}"], "test_setup_code": "s{0}", "challenge_test_list": []}})"
          "\n",
          id);
    }
    put("mbpp/prompt.jsonl", rows);
    put("mbpp/test.jsonl", rows.substr(0, rows.find('\n') + 1));
  }

  TempFolder folder_;
};

TEST_F(Generation, MbppShowsTheTasksTwoToFour) {
  put_mbpp();
  const ExamItem item = Exam::open(options("mbpp"))->item(0);
  std::string expect;
  for (const int id : {2, 3, 4, 1}) {
    expect += fmt::format(
        "You are an expert Python programmer, and here is your task: T{0} Your code should pass "
        "these tests:\n\na{0}\nb{0}\nc{0}\n[BEGIN]\n",
        id);
    if (id != 1) expect += fmt::format("def f{}(): pass\n[DONE]\n\n", id);
  }
  EXPECT_EQ(item.prompt, expect);
  const Json gold = parse_json(item.answer, "gold");
  EXPECT_EQ(gold["tests"], "s1\na1\nb1\nc1");
  EXPECT_EQ(gold["reference"], "def f1(): pass");
}

TEST_F(Generation, HumanEvalKeepsTheWhiteSpaceOfItsTests) {
  const std::string row =
      R"({"task_id": "HumanEval/0", "prompt": "def f(x):\n    \"\"\"<d> & 'q'\"\"\"\n", "entry_point": "f", "canonical_solution": "    return x\n", "test": "\n\ndef check(candidate):\n    assert candidate(1) == 1\n"})";
  std::filesystem::create_directories(folder_ / "humaneval");
  gzFile file = gzopen((folder_ / "humaneval/HumanEval.jsonl.gz").c_str(), "wb");
  gzputs(file, row.c_str());
  gzclose(file);
  const auto exam = Exam::open(options("humaneval"));
  const ExamItem item = exam->item(0);
  EXPECT_EQ(item.prompt, "def f(x):\n    \"\"\"<d> & 'q'\"\"\"\n");
  const Json gold = parse_json(item.answer, "gold");
  EXPECT_EQ(gold["before"], item.prompt);
  EXPECT_EQ(gold["tests"], "\n\ndef check(candidate):\n    assert candidate(1) == 1\n\ncheck(f)");
  EXPECT_EQ(gold["own"], Json::array({"f"}));
  EXPECT_EQ(exam->protocol().generate.stop,
            (std::vector<std::string>{"\nclass", "\ndef", "\n#", "\nif", "\nprint"}));
}

TEST_F(Generation, IfevalGoldHoldsInstructionsAndArguments) {
  put("ifeval/ifeval_input_data.jsonl",
      R"({"key": 1, "prompt": "Say \"hi\".", "instruction_id_list": ["punctuation:no_comma", "startend:end_checker"], "kwargs": [{}, {"end_phrase": "\"hi\""}]})");
  const ExamItem item = Exam::open(options("ifeval"))->item(0);
  EXPECT_EQ(item.prompt, "Say \"hi\".");
  const Json gold = parse_json(item.answer, "gold");
  EXPECT_EQ(gold["ids"], Json::array({"punctuation:no_comma", "startend:end_checker"}));
  EXPECT_EQ(gold["kwargs"][1]["end_phrase"], "\"hi\"");
  EXPECT_EQ(Exam::open(options("ifeval", "instruction"))->item(0).weight, 2);
  EXPECT_TRUE(Exam::open(options("ifeval"))->protocol().generate.chat);
  EXPECT_FALSE(Exam::open(options("ifeval", "raw"))->protocol().generate.chat);
}

TEST_F(Generation, SamplesAreItemsOfTheirOwn) {
  put_mbpp();
  ExamOptions asked = options("mbpp");
  asked.samples = 3;
  EXPECT_THROW(Exam::open(asked), Error);  // greedy samples are all alike
  asked.temperature = 0.8;
  const auto exam = Exam::open(asked);
  ASSERT_EQ(exam->size(), 3);
  EXPECT_EQ(exam->item(2).id, "mbpp/mbpp/test/0#2");
  EXPECT_EQ(exam->item(2).sample, 2);
  EXPECT_EQ(exam->item(2).prompt, exam->item(0).prompt);
  EXPECT_EQ(exam->subjects().at(0).items, 1);
  EXPECT_EQ(exam->protocol().generate.temperature, 0.8);
  EXPECT_EQ(exam->protocol().generate.samples, 3);
  asked.samples = 1;
  EXPECT_EQ(Exam::open(asked)->item(0).id, "mbpp/mbpp/test/0");
}

TEST_F(Generation, WhatGeneratesNothingTakesNoSamples) {
  ExamOptions asked;
  asked.suite = "keju-questions";
  asked.temperature = 0.5;
  try {
    Exam::open(asked);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUsage) << error.what();
  }
}

// lm-evaluation-harness scores only what follows the filled-in word.
TEST_F(Generation, WinograndePartialEvaluation) {
  put("winogrande/dev.jsonl",
      R"({"qID": "q", "sentence": "Ann met Eve because _ was late.", "option1": "Ann", "option2": "Eve", "answer": "2"})");
  const auto exam = Exam::open(options("winogrande", "lm-eval"));
  const ExamItem item = exam->item(0);
  EXPECT_TRUE(exam->protocol().own_contexts);
  EXPECT_EQ(item.prompt, "Ann met Eve because ");
  EXPECT_EQ(item.continuations,
            (std::vector<std::string>{"Ann", "Eve", "Ann was late.", "Eve was late."}));
  EXPECT_EQ(item.options.size(), 2U);
  EXPECT_EQ(item.gold, 1);
}

}  // namespace
}  // namespace keju
