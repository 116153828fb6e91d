// SPDX-License-Identifier: MIT
// How worked examples are chosen, and what the lint says about small data sets made to offend.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "suite/exam.h"
#include "suite/lint.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

constexpr const char* kCard = R"(name: tiny
title: {zh: 小, en: tiny}
about: a test
source: nowhere
licence: MIT
format: jsonl
files: "{split}.jsonl"
columns:
  - {name: q}
  - {name: options, key: texts, type: list}
  - {name: gold, type: integer}
choices: texts
answer: {column: gold, form: index}
splits:
  dev: {items: 10}
  test: {items: 3}
subjects:
  one: {zh: 一, en: One}
)";

class Shots : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

  static std::string rows(const std::string& prefix, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text +=
          fmt::format("{{\"q\": \"{}{}\", \"options\": [\"no {}\", \"yes {}\"], \"gold\": 1}}\n",
                      prefix,
                      i,
                      i,
                      i);
    }
    return text;
  }

  std::unique_ptr<Exam> open(const std::string& shots, const std::string& split = "test") {
    write("tiny/dataset.yaml", kCard);
    write("tiny/dev.jsonl", rows("d", 10));
    write("tiny/test.jsonl", rows("t", 3));
    write(
        "tiny.yaml",
        "name: tiny\nversion: 1\ntitle: {zh: 小, en: tiny}\nabout: x\ndataset: tiny\nsplit: test\n"
        "task: choose\nquestion: \"{{ q }}\"\nchoice: text\njoin: \"; \"\nprotocols:\n"
        "  official:\n    about: x\n    shots: " +
            shots + "\n");
    ExamOptions options;
    options.suite = (folder_ / "tiny.yaml").string();
    options.data = folder_.path();
    options.split = split;
    return Exam::open(options);
  }

  TempFolder folder_;
};

TEST_F(Shots, FirstRows) {
  const auto exam = open("{split: dev, count: 2}");
  EXPECT_EQ(exam->item(0).prompt, "d0 yes 0; d1 yes 1; t0");
  EXPECT_EQ(exam->item(0).continuations, (std::vector<std::string>{" no 0", " yes 0"}));
  EXPECT_DOUBLE_EQ(exam->chance(), 0.5);
}

TEST_F(Shots, AnItemIsNeverItsOwnExample) {
  const auto exam = open("{split: dev, count: 2}", "dev");
  EXPECT_EQ(exam->item(0).prompt, "d1 yes 1; d2 yes 2; d0");
  EXPECT_EQ(exam->item(1).prompt, "d0 yes 0; d2 yes 2; d1");
  EXPECT_EQ(exam->item(5).prompt, "d0 yes 0; d1 yes 1; d5");
}

// CPython's random.Random(1234): sample(range(10), 3) gives [7, 1, 0], [1, 0, 9], [1, 5, 3].
TEST_F(Shots, PythonRandomDrawsAnewForEveryItem) {
  const auto exam = open("{split: dev, count: 3, pick: python_random, seed: 1234}");
  EXPECT_EQ(exam->item(0).prompt, "d7 yes 7; d1 yes 1; d0 yes 0; t0");
  EXPECT_EQ(exam->item(1).prompt, "d1 yes 1; d0 yes 0; d9 yes 9; t1");
  EXPECT_EQ(exam->item(2).prompt, "d1 yes 1; d5 yes 5; d3 yes 3; t2");
}

// With the evaluated split as its own pool one more is drawn, and the item left out.
TEST_F(Shots, PythonRandomLeavesTheItemOut) {
  const auto exam = open("{split: dev, count: 2, pick: python_random, seed: 1234}", "dev");
  EXPECT_EQ(exam->item(0).prompt, "d7 yes 7; d1 yes 1; d0");  // [7, 1, 0] without 0
  EXPECT_EQ(exam->item(1).prompt, "d0 yes 0; d9 yes 9; d1");  // [1, 0, 9] without 1
  EXPECT_EQ(exam->item(2).prompt, "d1 yes 1; d5 yes 5; d2");  // [1, 5, 3]
}

TEST_F(Shots, JsonlRowsAreChecked) {
  const auto message = [&](const std::string& row) {
    open("{split: dev, count: 1}");
    write("tiny/test.jsonl", rows("t", 1) + row + "\n");
    ExamOptions options;
    options.suite = (folder_ / "tiny.yaml").string();
    options.data = folder_.path();
    const Error error = error_of([&] { Exam::open(options); });
    EXPECT_EQ(error.code(), Code::kInput);
    const std::string text = error.what();
    return text.substr(text.find("test.jsonl"));
  };
  EXPECT_EQ(message(R"({"q": "x", "options": ["a", "b"], "gold": 2})"),
            "test.jsonl:2: gold: found \"2\", need an index from 0 to 1");
  EXPECT_EQ(message(R"({"q": "x", "options": ["a", ""], "gold": 0})"),
            "test.jsonl:2: option B: found nothing, need its text");
  EXPECT_EQ(message(R"({"q": "x", "options": ["a"], "gold": 0})"),
            "test.jsonl:2: texts: found 1 options, need two or more");
  EXPECT_EQ(message(R"({"q": "x", "gold": 0})"),
            "test.jsonl:2: options: found nothing, need a value");
  EXPECT_EQ(message(R"({"q": 5, "options": ["a", "b"], "gold": 0})"),
            "test.jsonl:2: q: found number, need a text");
  EXPECT_EQ(message(R"({"p": "x", "options": ["a", "b"], "gold": 0})").substr(0, 30),
            "test.jsonl:2: key: unknown \"p\"");
  EXPECT_EQ(message("[1]"), "test.jsonl:2: found array, need an object");
}

TEST_F(Shots, LintNamesEveryKind) {
  write("tiny/dataset.yaml", kCard);
  std::string dev = R"({"q": "same", "options": ["a", "b"], "gold": 0})"
                    "\n";
  dev += R"({"q": "same", "options": ["b", "a"], "gold": 1})"
         "\n";
  dev += R"({"q": "twins", "options": ["x", " x"], "gold": 0})"
         "\n";
  dev += R"({"q": "prefix", "options": ["1", "10"], "gold": 0})"
         "\n";
  for (int i = 0; i < 20; ++i) {
    dev +=
        fmt::format("{{\"q\": \"n{}\", \"options\": [\"c{}\", \"d{}\"], \"gold\": 0}}\n", i, i, i);
  }
  write("tiny/dev.jsonl", dev);
  write("tiny/test.jsonl",
        R"({"q": "n3", "options": ["d3", "c3"], "gold": 1})"
        "\n");
  const std::string card = kCard;
  std::map<std::string, std::string> found;
  for (const Finding& finding :
       lint(DataCard::parse(card, "card"), DataFolder::on_disk(folder_ / "tiny"))) {
    const size_t slash = finding.at.rfind('/');
    found[finding.kind] += finding.at.substr(slash == std::string::npos ? 0 : slash + 1) + " ";
  }
  EXPECT_EQ(found,
            (std::map<std::string, std::string>{{"count", "dev test "},
                                                {"cross-split duplicate", "test.jsonl:1 "},
                                                {"duplicate item", "dev.jsonl:2 "},
                                                {"duplicate option", "dev.jsonl:3 "},
                                                {"gold skew", "dev "},
                                                {"prefix option", "dev.jsonl:4 "}}));
  std::filesystem::remove(folder_ / "tiny/test.jsonl");
  bool missing = false;
  for (const Finding& finding :
       lint(DataCard::parse(card, "card"), DataFolder::on_disk(folder_ / "tiny"))) {
    missing = missing || finding.kind == "missing split";
  }
  EXPECT_TRUE(missing);
}

}  // namespace
}  // namespace keju
