// SPDX-License-Identifier: MIT
// What is wrong with suites, cards, data files and names is found on opening, with file and line.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "suite/card.h"
#include "suite/csv.h"
#include "suite/exam.h"
#include "suite/lint.h"
#include "suite/suite_file.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

constexpr const char* kHeader = "id,question,A,B,C,D,answer\n";
constexpr const char* kRow = "0,q,a,b,c,d,A\n";

constexpr const char* kSuite = R"(name: tiny
version: 1
title: {zh: 小, en: tiny}
about: a test
dataset: tiny
split: test
task: choose
question: "{{ question }} "
protocols:
  official:
    about: as it is
)";

constexpr const char* kCard = R"(name: tiny
title: {zh: 小, en: tiny}
about: a test
source: nowhere
licence: MIT
format: csv
files: "{split}/{subject}.csv"
columns: [{name: id}, {name: question}, {name: A}, {name: B}, {name: C}, {name: D}, {name: answer}]
id: id
choices: [A, B, C, D]
answer: {column: answer, form: letter}
splits:
  dev: {items: 1}
  test: {items: 1}
categories: [Some]
subjects:
  one: {zh: 一, en: One, categories: [Some]}
)";

class Errors : public ::testing::Test {
 protected:
  void SetUp() override {
    write("tiny.yaml", kSuite);
    write("datasets/tiny/dataset.yaml", kCard);
    write("datasets/tiny/dev/one.csv", std::string(kHeader) + kRow);
    write("datasets/tiny/test/one.csv", std::string(kHeader) + kRow);
  }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

  ExamOptions options() const {
    ExamOptions options;
    options.suite = (folder_ / "tiny.yaml").string();
    options.data = folder_ / "datasets";
    return options;
  }

  // The message, without the folder that changes from run to run.
  std::string message(const ExamOptions& with, Code code) {
    const Error error = error_of([&] { Exam::open(with); });
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    std::string text = error.what();
    const std::string prefix = folder_.path().string() + "/";
    for (size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }
  std::string message(Code code) { return message(options(), code); }

  std::string suite_with(const std::string& from, const std::string& to, Code code = Code::kInput) {
    std::string suite = kSuite;
    const size_t at = suite.find(from);
    EXPECT_NE(at, std::string::npos);
    write("tiny.yaml", suite.replace(at, from.size(), to));
    return message(code);
  }

  std::string rows_with(const std::string& rows) {
    write("datasets/tiny/test/one.csv", kHeader + rows);
    return message(Code::kInput);
  }

  TempFolder folder_;
};

TEST_F(Errors, SoundFilesOpen) {
  const auto exam = Exam::open(options());
  EXPECT_EQ(exam->size(), 1);
  const ExamItem item = exam->item(0);
  EXPECT_EQ(item.id, "tiny/one/test/0");
  EXPECT_EQ(item.prompt, "q ");
  EXPECT_FALSE(exam->data_hash_matches_card()) << "the card pins nothing";
}

TEST_F(Errors, MissingOption) {
  EXPECT_EQ(rows_with("0,q,a,,c,d,A\n"),
            "datasets/tiny/test/one.csv:2: option B: found nothing, need its text");
  EXPECT_EQ(rows_with(std::string(kRow) + "1,q,a,b,c,　,A\n"),
            "datasets/tiny/test/one.csv:3: option D: found nothing, need its text");
}

TEST_F(Errors, MissingCell) {
  EXPECT_EQ(rows_with("0,q,a,b,c,A\n"),
            "datasets/tiny/test/one.csv:2: columns: found 6, need 7 (id, question, A, B, C, D, "
            "answer)");
}

TEST_F(Errors, LinesAreCountedThroughQuotedBreaks) {
  EXPECT_EQ(rows_with("0,\"q\n\nr\",a,b,c,d,A\n1,q,a,b,c,d,E\n"),
            "datasets/tiny/test/one.csv:5: answer: found \"E\", need a letter from A to D");
}

TEST_F(Errors, AnswerOutsideTheOptions) {
  EXPECT_EQ(rows_with("0,q,a,b,c,d,a\n"),
            "datasets/tiny/test/one.csv:2: answer: found \"a\", need a letter from A to D");
  EXPECT_EQ(rows_with("0,q,a,b,c,d,\n"),
            "datasets/tiny/test/one.csv:2: answer: found \"\", need a letter from A to D");
  EXPECT_EQ(rows_with("0,q,a,b,c,d,AB\n"),
            "datasets/tiny/test/one.csv:2: answer: found \"AB\", need a letter from A to D");
}

TEST_F(Errors, DuplicateId) {
  EXPECT_EQ(rows_with(std::string(kRow) + kRow),
            "datasets/tiny/test/one.csv:3: id: found \"0\" again, need ids that differ. It stands "
            "at datasets/tiny/test/one.csv:2, too");
}

TEST_F(Errors, UnclosedQuote) {
  EXPECT_EQ(rows_with("0,\"q,a,b,c,d,A\n1,q,a,b,c,d,A\n"),
            "datasets/tiny/test/one.csv:2: found a quote that never closes, need a closing '\"'");
  EXPECT_EQ(
      rows_with("0,\"q\"r,a,b,c,d,A\n"),
      "datasets/tiny/test/one.csv:2: found text after a closing quote, need a comma or the end "
      "of the line");
}

TEST_F(Errors, NotUtf8) {
  EXPECT_EQ(rows_with(std::string(kRow) + "1,\xB2\xE2\xCA\xD4,a,b,c,d,A\n"),
            "datasets/tiny/test/one.csv:3: found bytes that are not UTF-8, need UTF-8. Convert it, "
            "for example with iconv -f GB18030 -t UTF-8");
}

TEST_F(Errors, WrongHeader) {
  write("datasets/tiny/test/one.csv", "id,question,A,B,C,D,anwser\n");
  EXPECT_EQ(message(Code::kInput),
            "datasets/tiny/test/one.csv:1: header: unknown column \"anwser\"; did you mean "
            "\"answer\"? Known: id, question, A, B, C, D, answer");
  write("datasets/tiny/test/one.csv", "id,question,A,B,C,D\n");
  EXPECT_EQ(
      message(Code::kInput),
      "datasets/tiny/test/one.csv:1: header: found no column \"answer\", need id, question, A, "
      "B, C, D, answer");
}

TEST_F(Errors, EmptyFiles) {
  write("datasets/tiny/test/one.csv", "");
  EXPECT_EQ(message(Code::kInput), "datasets/tiny/test/one.csv:1: found nothing, need a header");
  EXPECT_EQ(rows_with(""), "datasets/tiny/test/one.csv: one: found no rows, need at least one");
}

TEST_F(Errors, RowsBeyondTheLimitAreChecked) {
  write("datasets/tiny/test/one.csv", std::string(kHeader) + kRow + "1,q,a,b,c,d,\n");
  ExamOptions with = options();
  with.limit = 1;
  EXPECT_EQ(message(with, Code::kInput),
            "datasets/tiny/test/one.csv:3: answer: found \"\", need a letter from A to D");
}

TEST_F(Errors, MisspeltKeyOfASuite) {
  const std::string wanted =
      "tiny.yaml:8: key: unknown \"qestion\"; did you mean \"question\"? Known: task, split, "
      "shots, header, question, answer, choice, delimiter, join, join_item, option_token, score "
      "and ";
  EXPECT_EQ(suite_with("question:", "qestion:").substr(0, wanted.size()), wanted);
  EXPECT_EQ(suite_with("    about: as it is", "    about: as it is\n    sorce: sum").substr(0, 46),
            "tiny.yaml:12: key: unknown \"sorce\"; did you me");
}

TEST_F(Errors, MisspeltValuesOfASuite) {
  EXPECT_EQ(
      suite_with("task: choose", "task: chose"),
      "tiny.yaml:7: task: unknown \"chose\"; did you mean \"choose\"? Known: choose, generate, "
      "perplexity");
  EXPECT_EQ(suite_with("task: choose", "task: choose\nextract: last_nubmer").substr(0, 67),
            "tiny.yaml:8: extract: unknown rule \"last_nubmer\"; did you mean \"las");
  EXPECT_EQ(
      suite_with("{{ question }}", "{{ qestion }}"),
      "tiny.yaml:8: template: unknown variable \"qestion\" with data set \"tiny\"; did you mean "
      "\"question\"? Known: subject, nth, options, letters, id, question, A, B, C, D, answer");
  EXPECT_EQ(suite_with("version: 1", "version: one").substr(0, 11), "tiny.yaml:2");
  EXPECT_EQ(suite_with("official", "oficial"),
            "tiny.yaml:10: protocols: found none called \"official\", need one: it is the default");
  EXPECT_EQ(
      suite_with("split: test", "split: tset"),
      "tiny.yaml:11: split: unknown \"tset\" of data set \"tiny\"; did you mean \"test\"? Known: "
      "dev, test");
  EXPECT_EQ(suite_with("task: choose", "task: generate"),
            "tiny.yaml:11: extract: found nothing, need it to read an answer out of what was "
            "generated");
}

TEST_F(Errors, UnknownNames) {
  ExamOptions with = options();
  with.subjects = {"on"};
  EXPECT_EQ(message(with, Code::kUsage),
            "subject: unknown \"on\" of suite \"tiny\"; did you mean \"one\"? Known: one");
  with = options();
  with.split = "tests";
  EXPECT_EQ(
      message(with, Code::kUsage),
      "--split: split: unknown \"tests\" of data set \"tiny\"; did you mean \"test\"? Known: dev, "
      "test");
  with = options();
  with.protocol = "offical";
  EXPECT_EQ(message(with, Code::kUsage),
            "protocol: unknown \"offical\" of suite \"tiny\"; did you mean \"official\"? Known: "
            "official");
  with = options();
  with.suite = "cevel";
  EXPECT_EQ(message(with, Code::kUsage).substr(0, 53),
            "suite: unknown \"cevel\"; did you mean \"ceval\"? Known: ");
  with.suite = "keju-sample";
  EXPECT_EQ(message(with, Code::kUsage),
            "suite: \"keju-sample\" is a group, need one of its parts: keju-questions, "
            "keju-completion, keju-generate, keju-text");
  with = options();
  with.shots = 1;
  EXPECT_EQ(message(with, Code::kUsage),
            "shots: found 1, need 0: tiny/official has no worked examples");
  with.shots = -1;
  EXPECT_EQ(message(with, Code::kUsage), "shots: found -1, need 0 or more");
  with = options();
  with.limit = 0;
  EXPECT_EQ(message(with, Code::kUsage), "limit: found 0, need 1 or more");
}

TEST_F(Errors, MoreShotsThanRows) {
  write("tiny.yaml", std::string(kSuite) + "    shots: {split: dev, count: 1}\n");
  ExamOptions with = options();
  EXPECT_EQ(Exam::open(with)->item(0).prompt, "q  A\n\nq ");
  with.shots = 2;
  EXPECT_EQ(message(with, Code::kUsage),
            "shots: found 2, need at most 1: split \"dev\" of one has 1 rows");
}

TEST_F(Errors, MissingData) {
  std::filesystem::remove(folder_ / "datasets/tiny/test/one.csv");
  EXPECT_EQ(message(Code::kIo).substr(0, 78),
            "datasets/tiny/test/one.csv: found no such file, need split \"test\" of tiny. ");
  ExamOptions with;
  with.suite = "cmmlu";
  EXPECT_EQ(message(with, Code::kUsage).substr(0, 55),
            "--data: found nothing, need the data of cmmlu. To get i");
  with.data = folder_.path();
  EXPECT_EQ(message(with, Code::kIo).substr(0, 44), "cmmlu: found no such folder, need the data o");
}

TEST_F(Errors, CardsAreStrict) {
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string card = kCard;
    const size_t at = card.find(from);
    EXPECT_NE(at, std::string::npos);
    write("datasets/tiny/dataset.yaml", card.replace(at, from.size(), to));
    return message(Code::kInput);
  };
  EXPECT_EQ(with("licence", "license").substr(0, 66),
            "datasets/tiny/dataset.yaml:5: key: unknown \"license\"; did you mean");
  EXPECT_EQ(with("choices: [A, B", "choices: [A, X"),
            "datasets/tiny/dataset.yaml:10: choices: unknown \"X\"; did you mean \"A\"? Known: id, "
            "question, A, B, C, D, answer");
  EXPECT_EQ(
      with("categories: [Some]}", "categories: [Same]}"),
      "datasets/tiny/dataset.yaml:17: categories: unknown \"Same\"; did you mean \"Some\"? Known: "
      "Some");
  EXPECT_EQ(
      with("{split}/{subject}.csv", "../{subject}.csv"),
      "datasets/tiny/dataset.yaml:7: files: found \"../{subject}.csv\", need a path inside the "
      "data set's folder");
  EXPECT_EQ(with("  one: {zh", "  ../one: {zh"),
            "datasets/tiny/dataset.yaml:17: subjects: found \"../one\", need a plain name");
}

TEST_F(Errors, UnlabelledRowsAreThereAndUnscored) {
  std::string card = kCard;
  const std::string from = "{name: answer}";
  card.replace(card.find(from), from.size(), "{name: answer, optional: [test]}");
  write("datasets/tiny/dataset.yaml", card);
  write("datasets/tiny/test/one.csv", "id,question,A,B,C,D\n0,q,a,b,c,d\n");
  const auto exam = Exam::open(options());
  EXPECT_EQ(exam->item(0).gold, -1);
  EXPECT_EQ(exam->item(0).options.size(), 4u);
}

TEST_F(Errors, LimitTakesTheFirstOfEachSubject) {
  std::string card = kCard;
  write("datasets/tiny/dataset.yaml", card + "  two: {zh: 二, en: Two}\n");
  std::string rows = kHeader;
  for (int i = 0; i < 5; ++i) rows += fmt::format("{},q{},a,b,c,d,B\n", i, i);
  write("datasets/tiny/test/one.csv", rows);
  write("datasets/tiny/test/two.csv", rows);
  ExamOptions with = options();
  with.limit = 2;
  const auto exam = Exam::open(with);
  std::vector<std::string> ids;
  for (int64_t i = 0; i < exam->size(); ++i) ids.push_back(exam->item(i).id);
  EXPECT_EQ(ids,
            (std::vector<std::string>{
                "tiny/one/test/0", "tiny/one/test/1", "tiny/two/test/0", "tiny/two/test/1"}));
  EXPECT_EQ(exam->subjects()[1].items, 2);
  EXPECT_EQ(exam->limit(), 2);
}

TEST_F(Errors, HashesFollowWhatTheyStandFor) {
  const auto before = Exam::open(options());
  write("datasets/tiny/test/one.csv", std::string(kHeader) + "0,q2,a,b,c,d,A\n");
  const auto data = Exam::open(options());
  EXPECT_NE(before->data_hash(), data->data_hash());
  EXPECT_EQ(before->suite_hash(), data->suite_hash());
  write("tiny.yaml", std::string(kSuite) + "# changed\n");
  EXPECT_NE(before->suite_hash(), Exam::open(options())->suite_hash());
}

TEST(Csv, ReadsWhatPythonReads) {
  const auto records = parse_csv(
      "\xEF\xBB\xBF"
      "a,\"b,\"\"c\"\"\"\r\n\r\n\"d\r\ne\",\nf\"g\",h",
      "x");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].fields, (std::vector<std::string>{"a", "b,\"c\""}));
  EXPECT_EQ(records[1].fields, (std::vector<std::string>{"d\r\ne", ""}));
  EXPECT_EQ(records[1].line, 3);
  EXPECT_EQ(records[2].fields, (std::vector<std::string>{"f\"g\"", "h"}));
  EXPECT_EQ(records[2].line, 5);
}

TEST(SuiteFiles, EveryEmbeddedSuiteParses) {
  const std::vector<std::string> names = suite_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const char* name : {"agieval", "ceval", "cmmlu", "gsm8k", "keju-sample", "keju-text"}) {
    EXPECT_TRUE(std::binary_search(names.begin(), names.end(), name)) << name;
  }
  for (const std::string& name : suite_names()) {
    const SuiteFile suite = SuiteFile::load(name);
    EXPECT_EQ(suite.name, name);
    if (suite.parts.empty()) {
      ASSERT_FALSE(suite.variants.empty());
      EXPECT_EQ(suite_protocols(name)[0].name, "official");
      EXPECT_EQ(suite_protocols(name)[0].id, name + "/official");
    } else {
      EXPECT_TRUE(suite_protocols(name).empty());
    }
  }
}

TEST(SuiteFiles, ProtocolsByNameAliasAndFullId) {
  const SuiteFile cmmlu = SuiteFile::load("cmmlu");
  for (const char* name :
       {"opencompass", "oc-ppl-8b9c76", "cmmlu/oc-ppl-8b9c76", "cmmlu/opencompass"}) {
    EXPECT_EQ(cmmlu.variant(name).protocol.id, "cmmlu/opencompass");
  }
  EXPECT_EQ(cmmlu.variant("lme").protocol.id, "cmmlu/lm-eval");
  const Protocol& lme = cmmlu.variant("lm-eval").protocol;
  EXPECT_EQ(lme.average, Average::kMicro);
  EXPECT_EQ(lme.option_token, OptionToken::kRetokenize);
  EXPECT_EQ(lme.default_shots, 0);
  const Protocol& opencompass = cmmlu.variant("opencompass").protocol;
  EXPECT_EQ(opencompass.score, ChoiceScore::kWholeMean);
  EXPECT_EQ(opencompass.average, Average::kMacro);
  EXPECT_EQ(opencompass.default_shots, 5);
  EXPECT_EQ(cmmlu.variant("hf-causal").protocol.option_token, OptionToken::kVocabularyEntry);
  EXPECT_EQ(SuiteFile::load("ceval").variant("baichuan").protocol.option_token,
            OptionToken::kSeparateLast);
}

TEST(SuiteFiles, GsmSettings) {
  const Protocol lme = SuiteFile::load("gsm8k").variant("gsm8k/lme").protocol;
  EXPECT_EQ(lme.generate.stop, (std::vector<std::string>{"Question:", "</s>", "<|im_end|>"}));
  EXPECT_EQ(lme.generate.max_tokens, 256);
  EXPECT_EQ(lme.generate.temperature, 0);
  EXPECT_EQ(lme.default_shots, 5);
  const Protocol compass = SuiteFile::load("gsm8k").variant("oc-17d0dc").protocol;
  EXPECT_EQ(compass.generate.stop, std::vector<std::string>{"Question"});
  EXPECT_EQ(compass.generate.max_tokens, 512);
  EXPECT_EQ(compass.default_shots, 4);
}

}  // namespace
}  // namespace keju
