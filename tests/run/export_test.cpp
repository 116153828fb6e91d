// SPDX-License-Identifier: MIT
#include "run/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "lm/fake_model.h"
#include "run/csv_cell.h"
#include "run/lm_eval_sample.h"
#include "run/runner.h"
#include "tests/support/fake_exam.h"
#include "tests/support/require.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

void run_into(const std::filesystem::path& out,
              FakeScript script,
              std::vector<FakeExamSpec> specs) {
  const auto model = make_fake_model(std::move(script));
  RunOptions options;
  options.out = out;
  run_exams(*model, fake_exams(std::move(specs)), options);
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::istringstream in(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

ExamManifest choose_manifest() {
  ExamManifest exam;
  exam.key = "ceval/lm-eval:val:2shot";
  exam.suite = "ceval";
  exam.protocol.task = Task::kChoose;
  return exam;
}

StoredItem choose_item(const std::vector<double>& logprobs) {
  StoredItem item;
  ScoreResult result;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    const std::string letter(1, static_cast<char>('A' + i));
    ContinuationScore one;
    one.logprob = logprobs[i];
    one.greedy = i == 0;
    result.continuations.push_back(one);
    item.options.push_back(letter);
    item.continuations.push_back(" " + letter);
  }
  item.record.response.what = result;
  return item;
}

// Golden values of the protocol notes: a context and a document with the hashes that the harness
// itself gave them.
TEST(LmEvalSample, HashesAreTheHarnesss) {
  StoredItem item = choose_item({-1.5, -2, -2.5, -3});
  item.prompt =
      "以下是中国关于数学的单项选择题，请选出其中的正确答案。\n\n下列哪个是质数____\nA. 4\nB. "
      "6\nC. "
      "7\nD. 9\n答案： C\n\n1+1=____\nA. 1\nB. 2\nC. 3\nD. 4\n答案： B\n\n下列哪个是质数____\nA. "
      "4\nB. 6\nC. 7\nD. 9\n答案：";
  item.doc = Json::parse(
      R"({"id":0,"question":"下列哪个是质数____","A":"4","B":"6","C":"7","D":"9","answer":"C"})");
  item.record.gold = 2;
  const Json line = lm_eval_sample(choose_manifest(), item).line;
  EXPECT_EQ(line["prompt_hash"],
            "fdff2f589fec8ae277f7ebe22dc894316b11db84cf9eef4dea5fb93922dba814");
  EXPECT_EQ(line["doc_hash"], "9a2d53214f2a08a7bd278fcb0f4e8c36437da1714f277960b6b8b85130ee57f4");
  EXPECT_EQ(line["target_hash"],
            "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35");
  EXPECT_EQ(line["target"], "2");
  EXPECT_EQ(line["acc"], 0.0);
}

// The harness's own log of two items, fed back through our types, must come out byte for byte.
TEST(LmEvalSample, LineEqualsTheHarnesssByteForByte) {
  KEJU_NEED(shared);
  int compared = 0;
  for (const std::string& text :
       lines_of(shared_dir() / "oracles/lm-eval/sample_log_example.jsonl")) {
    const Json theirs = parse_json(text, "sample");
    StoredItem item = choose_item({0, 0, 0, 0});
    auto& scores = std::get<ScoreResult>(item.record.response.what).continuations;
    item.doc = theirs["doc"];
    item.prompt = theirs["arguments"]["gen_args_0"]["arg_0"].get<std::string>();
    item.record.row = theirs["doc_id"].get<int64_t>();
    item.record.gold = std::stoi(theirs["target"].get<std::string>());
    for (size_t i = 0; i < 4; ++i) {
      const Json& pair = theirs["filtered_resps"][i];
      scores[i].logprob = std::stod(pair[0].get<std::string>());
      scores[i].greedy = pair[1] == "True";
    }
    EXPECT_EQ(python_dumps(lm_eval_sample(choose_manifest(), item).line), text);
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

// The whole way: suite file, data set, run store and export reproduce the harness's log of the same
// items, given its log-likelihoods.
TEST(ExportLmEval, RunOfTheRealSuiteReproducesTheHarnesssLog) {
  KEJU_NEED(shared);
  const auto theirs = lines_of(shared_dir() / "oracles/lm-eval/sample_log_example.jsonl");
  std::map<std::string, double> logprobs;  // by prompt and continuation
  for (const std::string& text : theirs) {
    const Json line = parse_json(text, "sample");
    for (int i = 0; i < 4; ++i) {
      const Json& argument = line["arguments"][fmt::format("gen_args_{}", i)];
      logprobs[argument["arg_0"].get<std::string>() + argument["arg_1"].get<std::string>()] =
          std::stod(line["filtered_resps"][i][0].get<std::string>());
    }
  }
  FakeScript script;
  script.score = [&](const std::string& prompt, const std::string& option) {
    const auto known = logprobs.find(prompt + option);
    if (known == logprobs.end()) throw fail(Code::kInput, "the harness asked otherwise");
    return known->second;
  };
  ExamOptions exam;
  exam.suite = "cmmlu";
  exam.data = shared_dir() / "data";
  exam.protocol = "lm-eval";
  exam.subjects = {"agronomy"};
  exam.shots = 5;
  exam.limit = 2;
  std::vector<std::unique_ptr<Exam>> exams;
  exams.push_back(Exam::open(exam));
  const TempFolder folder;
  RunOptions options;
  options.out = folder / "run";
  EXPECT_TRUE(run_exams(*make_fake_model(script), exams, options).complete);
  const auto files = export_lm_eval(folder / "run", folder / "out");
  EXPECT_THAT(files[0].filename().string(), testing::StartsWith("samples_cmmlu_agronomy_"));
  EXPECT_EQ(lines_of(files[0]), theirs);
}

TEST(LmEvalSample, AccNormDividesByCharacters) {
  StoredItem item = choose_item({-4, -5});
  item.options = {"是", "不是的吧"};  // -4 per character against -1.25
  item.record.gold = 1;
  const Json line = lm_eval_sample(choose_manifest(), item).line;
  EXPECT_EQ(line["acc"], 0.0);
  EXPECT_EQ(line["acc_norm"], 1.0);
}

// lm-evaluation-harness's two requests a choice: with the question, then with nothing but what the
// protocol has in its place; acc_mutual_info is the first largest difference.
TEST(LmEvalSample, MutualInformationHasASecondRoundOfRequests) {
  ExamManifest exam = choose_manifest();
  exam.protocol.score = ChoiceScore::kPmi;
  StoredItem item = choose_item({-4, -5, -1, -9});  // differences -3 and 4
  item.options.resize(2);
  item.continuations.resize(2);
  item.prompt = "Q";
  item.record.gold = 1;
  const LmEvalSample sample = lm_eval_sample(exam, item);
  const Json& line = sample.line;
  EXPECT_EQ(line["metrics"], Json::parse(R"(["acc","acc_norm","acc_mutual_info"])"));
  EXPECT_EQ(line["acc"], 0.0);
  EXPECT_EQ(line["acc_mutual_info"], 1.0);
  ASSERT_EQ(line["arguments"].size(), 4u);
  EXPECT_EQ(line["arguments"]["gen_args_1"], Json::parse(R"({"arg_0":"Q","arg_1":" B"})"));
  EXPECT_EQ(line["arguments"]["gen_args_3"], Json::parse(R"({"arg_0":"","arg_1":" B"})"));
  EXPECT_EQ(line["resps"][3].dump(), R"([["-9.0","False"]])");
}

// Its WinoGrande: a context for each choice, the same words behind both, which are the target, and
// no acc_norm. Whether they were the likeliest is not known where a likelier context was left out.
TEST(LmEvalSample, OwnContextsAreTheFirstArguments) {
  ExamManifest exam = choose_manifest();
  exam.protocol.own_contexts = true;
  StoredItem item = choose_item({-1, -2, -6, -3});
  item.options = {"was big.", "was big."};
  item.continuations = {"trophy", "case", "trophy was big.", "case was big."};
  item.prompt = "It fits since the ";
  item.record.gold = 1;
  auto& scores = std::get<ScoreResult>(item.record.response.what).continuations;
  scores[0].ids = {1};
  scores[1].ids = {2};
  scores[2].token_logprobs = {-1, -2, -3};
  scores[3].token_logprobs = {-2, -0.5, -0.25};
  scores[2].greedy = false;
  const Json line = lm_eval_sample(exam, item).line;
  EXPECT_EQ(line["target"], "was big.");
  EXPECT_EQ(line["metrics"], Json::parse(R"(["acc"])"));
  EXPECT_EQ(line["acc"], 1.0);
  EXPECT_EQ(line["filtered_resps"].dump(), R"([["-5.0","False"],["-0.75","None"]])");
  EXPECT_EQ(line["arguments"]["gen_args_1"],
            Json::parse(R"({"arg_0":"It fits since the case","arg_1":" was big."})"));
  EXPECT_EQ(line["prompt_hash"], sha256_hex("It fits since the trophy"));
}

TEST(ExportLmEval, WritesOneSampleFileASubjectAndOneResultsFile) {
  const TempFolder folder;
  FakeScript script;
  script.name = "../evil:name";
  script.score = [](const std::string&, const std::string& option) {
    return option == " A" ? -1.25 : -2.0;
  };
  run_into(folder / "run", script, {{}});
  const auto files = export_run(folder / "run", "lm-eval", folder / "out");

  ASSERT_EQ(files.size(), 3u);
  for (const auto& file : files) {
    EXPECT_EQ(file.parent_path(), folder / "out" / "..__evil__name");
    EXPECT_TRUE(std::filesystem::exists(file));
  }
  EXPECT_THAT(files[0].filename().string(), testing::StartsWith("samples_fake_algebra_20"));
  const auto lines = lines_of(files[0]);
  ASSERT_EQ(lines.size(), 5u);
  const Json first = parse_json(lines[0], "line");
  EXPECT_THAT(keys_of(first),
              ElementsAre("doc_id",
                          "doc",
                          "target",
                          "arguments",
                          "resps",
                          "filtered_resps",
                          "filter",
                          "metrics",
                          "doc_hash",
                          "prompt_hash",
                          "target_hash",
                          "acc",
                          "acc_norm"));
  EXPECT_EQ(first["resps"][0].dump(), R"([["-1.25","True"]])");
  EXPECT_EQ(first["acc"], 1.0);

  const Json results = read_json(files[2]);
  EXPECT_DOUBLE_EQ(results["results"]["fake_algebra"]["acc,none"].get<double>(), 0.4);
  // Sample deviation of {1,0,0,0,1} over √5.
  EXPECT_NEAR(
      results["results"]["fake_algebra"]["acc_stderr,none"].get<double>(), 0.244948974, 1e-9);
  EXPECT_DOUBLE_EQ(results["groups"]["fake"]["acc,none"].get<double>(), 3.0 / 8);
  EXPECT_EQ(results["group_subtasks"]["fake"], Json::parse(R"(["fake_algebra","fake_poetry"])"));
  EXPECT_EQ(results["n-samples"]["fake_poetry"]["effective"], 3);
  EXPECT_TRUE(results["total_evaluation_time_seconds"].is_string());
  std::string hashes;
  for (const std::string& line : lines) {
    const Json sample = parse_json(line, "line");
    for (const char* key : {"doc_hash", "prompt_hash", "target_hash"}) {
      hashes += sample[key].get<std::string>();
    }
  }
  EXPECT_EQ(results["task_hashes"]["fake_algebra"], sha256_hex(hashes));
}

TEST(ExportLmEval, GroupErrorIsTheHarnesssPooledOne) {
  // Subjects of 5 and 3 items, accuracies 2/5 and 1/3, pooled as §1.8 says:
  // sqrt(((4·0.06·5) + (2·(1/9)·3)) / (8 − 2) / 8).
  const TempFolder folder;
  FakeScript script;
  script.score = [](const std::string&, const std::string& option) {
    return option == " A" ? -1.0 : -2.0;
  };
  run_into(folder / "run", script, {{}});
  const auto files = export_lm_eval(folder / "run", folder / "out");
  const Json results = read_json(files.back());
  EXPECT_NEAR(results["results"]["fake"]["acc_stderr,none"].get<double>(),
              std::sqrt((1.2 + 2.0 / 3) / 6 / 8),
              1e-12);
}

TEST(ExportLmEval, SameRunSameBytes) {
  const TempFolder folder;
  run_into(folder / "run", {}, {{}});
  const auto a = export_lm_eval(folder / "run", folder / "a");
  const auto b = export_lm_eval(folder / "run", folder / "b");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(read_file(a[i]), read_file(b[i]));
}

FakeExamSpec ceval_spec(int subjects, int64_t items_of_first) {
  FakeExamSpec spec;
  spec.suite = "ceval";
  spec.protocol.id = "ceval/official";
  spec.labelled = false;
  spec.subjects.clear();
  for (int i = 0; i < subjects; ++i) {
    spec.subjects.push_back({fmt::format("subject_{:02}", i), "科", "S", {"STEM"}, 237});
  }
  spec.subjects[0].items = items_of_first;
  return spec;
}

TEST(ExportCeval, WritesEveryPredictionOfTheUnlabelledSplit) {
  const TempFolder folder;
  FakeScript script;
  script.score = [](const std::string& prompt, const std::string& option) {
    return option == (prompt.find("subject_01 7?") == 0 ? " D" : " B") ? -1.0 : -2.0;
  };
  run_into(folder / "run", script, {ceval_spec(52, 12342 - 51 * 237)});
  const auto files = export_run(folder / "run", "ceval-submission", folder / "out");

  const Json submission = read_json(folder / "out" / "submission.json");
  EXPECT_EQ(submission.size(), 52u);
  EXPECT_EQ(submission["subject_00"].size(), 255u);
  EXPECT_EQ(submission["subject_01"]["7"], "D");
  EXPECT_EQ(submission["subject_01"]["8"], "B");
  EXPECT_THAT(read_file(folder / "out" / "submission.log"),
              HasSubstr("12342 predictions in 52 subjects; 0 without"));
}

TEST(ExportCeval, RefusesWhatIsNotTheWholeTestSplit) {
  const TempFolder folder;
  run_into(folder / "part", {}, {ceval_spec(2, 10)});
  const Error part =
      error_of([&] { export_run(folder / "part", "ceval-submission", folder / "out"); });
  EXPECT_EQ(part.code(), Code::kUsage);
  EXPECT_THAT(part.what(), HasSubstr("found 247 predictions in 2 subjects, need 12342 in 52"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out" / "submission.json"));

  run_into(folder / "other", {}, {{}});
  const Error other =
      error_of([&] { export_run(folder / "other", "ceval-submission", folder / "out"); });
  EXPECT_EQ(other.code(), Code::kUsage);
  EXPECT_THAT(other.what(), HasSubstr("--suite ceval --split test"));
}

TEST(ExportRun, UnknownFormatIsAUsageError) {
  const Error error = error_of([] { export_run("run", "csvv", "out"); });
  EXPECT_EQ(error.code(), Code::kUsage);
  EXPECT_STREQ(error.what(),
               "export: unknown format \"csvv\"; did you mean \"csv\"? Known: ceval-submission, "
               "csv, lm-eval");
}

TEST(ExportCsv, HostileAnswersStayInTheirCells) {
  const TempFolder folder;
  FakeExamSpec spec;
  spec.suite = "sums";
  spec.protocol.task = Task::kGenerate;
  spec.protocol.extract = "gsm8k_strict";
  spec.protocol.compare = "number_equal";
  spec.protocol.generate.max_tokens = 20'000'000;
  FakeScript script;
  script.generate = [](const std::string& prompt) -> std::string {
    if (prompt.find("algebra 0") == 0) return "=cmd|' /C calc'!A0,\"x\"\r\n\x1b[31mred";
    if (prompt.find("algebra 1") == 0) return std::string(10'000'000, 'y');
    return "-5";
  };
  run_into(folder / "run", script, {spec});
  export_run(folder / "run", "csv", folder / "out");
  const auto lines = lines_of(folder / "out" / "items.csv");
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_THAT(lines[1], HasSubstr(R"("'=cmd|' /C calc'!A0,""x""\x0d\n\x1b[31mred")"));
  EXPECT_LT(lines[2].size(), 200'000u);
  EXPECT_THAT(lines[2], HasSubstr("yyy…"));
}

TEST(CsvCell, IsQuotedEscapedAndDefused) {
  EXPECT_EQ(csv_cell("plain"), "plain");
  EXPECT_EQ(csv_cell("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_cell("=1+1"), "'=1+1");
  EXPECT_EQ(csv_cell("+x"), "'+x");
  EXPECT_EQ(csv_cell("@x"), "'@x");
  EXPECT_EQ(csv_cell("-x"), "'-x");
  EXPECT_EQ(csv_cell("-1.5e-3"), "-1.5e-3") << "a number is no formula";
  EXPECT_EQ(csv_cell("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(csv_cell(""), "");
}

TEST(Visible, ShowsWhatHides) {
  EXPECT_EQ(visible("中文 ok"), "中文 ok");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(visible("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(visible("\u202egnp.exe"), "\\u202egnp.exe");
  EXPECT_EQ(visible("\u200b\ufeff"), "\\u200b\\ufeff");
  EXPECT_EQ(visible("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(visible("\ufffd"), "\ufffd");
  EXPECT_EQ(visible("abcdef", 3), "abc…");
  EXPECT_EQ(visible("abc", 3), "abc");
}

}  // namespace
}  // namespace keju
