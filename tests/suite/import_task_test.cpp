// SPDX-License-Identifier: MIT
// Task files written by hand in lm-evaluation-harness's manner, with the requests that the harness
// (0.4.13, its dummy model) made of them: expected.jsonl.
#include "suite/import_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "base/mapped_file.h"
#include "suite/exam.h"
#include "suite/import_samples.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;

const std::filesystem::path kTasks = "tests/suite/lm_eval_tasks";

std::unique_ptr<Exam> opened(const TempFolder& folder,
                             const ImportedTask& made,
                             const std::string& protocol = "official") {
  std::filesystem::create_directories(folder / made.name);
  write_file_atomically(folder / (made.name + ".yaml"), made.suite);
  write_file_atomically(folder / made.name / "dataset.yaml", made.card);
  for (const auto& [split, rows] : made.rows) {
    write_file_atomically(folder / made.name / (split + ".jsonl"), rows);
  }
  ExamOptions options;
  options.suite = (folder / (made.name + ".yaml")).string();
  options.protocol = protocol;
  return Exam::open(options);
}

ImportedTask import(const std::string& task) {
  return import_lm_eval_task(
      kTasks / (task + ".yaml"), kTasks / (task == "h_generate" ? "generate_rows" : "rows"), "");
}

TEST(ImportTask, AsksWhatTheHarnessAsks) {
  const TempFolder folder;
  std::map<std::string, std::unique_ptr<Exam>> exams;
  std::ifstream expected(kTasks / "expected.jsonl");
  int requests = 0;
  for (std::string line; std::getline(expected, line); ++requests) {
    const Json wanted = parse_json(line, "expected.jsonl");
    const std::string task = wanted["task"].get<std::string>();
    if (exams.count(task) == 0) exams[task] = opened(folder, import(task));
    const ExamItem item = exams[task]->item(wanted["doc_id"].get<int64_t>());
    EXPECT_EQ(item.prompt, wanted["context"].get<std::string>()) << item.id;
    if (wanted.contains("continuations")) {
      EXPECT_EQ(item.continuations, wanted["continuations"].get<std::vector<std::string>>());
      const int gold = item.gold;
      const std::string target = wanted["target"].get<std::string>();
      EXPECT_TRUE(target == std::to_string(gold) ||
                  target == item.options[static_cast<size_t>(gold)])
          << item.id << ": " << target;
    } else {
      EXPECT_EQ(item.answer, wanted["target"].get<std::string>());
      const GenerateSettings& settings = exams[task]->protocol().generate;
      EXPECT_EQ(settings.stop, wanted["settings"]["until"].get<std::vector<std::string>>());
      EXPECT_EQ(settings.max_tokens, wanted["settings"]["max_gen_toks"].get<int64_t>());
    }
  }
  EXPECT_EQ(requests, 15);
  EXPECT_EQ(exams.size(), 4u);
}

TEST(ImportTask, FiltersBecomeRulesAndMetricsComparisons) {
  const TempFolder folder;
  const ImportedTask made = import("h_generate");
  EXPECT_EQ(opened(folder, made)->protocol().extract, "first_stripped:#### (\\-?[0-9\\.\\,]+)");
  EXPECT_EQ(opened(folder, made, "flexible")->protocol().extract,
            "last_stripped:(-?[0-9.,]{2,})|(-?[0-9]+)");
  EXPECT_EQ(opened(folder, made)->protocol().compare,
            "exact_match\nignore_case\nignore:,\nignore:\\$");
}

// A task over one document. What the harness makes of each was tried with its ConfigurableTask.
ExamItem only_item(const std::string& task, const std::string& document) {
  const TempFolder folder;
  write_file_atomically(folder / "t.yaml", "task: t\ntest_split: test\n" + task);
  write_file_atomically(folder / "test.jsonl", document);
  return opened(folder, import_lm_eval_task(folder / "t.yaml", folder.path(), ""))->item(0);
}

TEST(ImportTask, ATargetInAColumnIsAChoiceInATemplateAPlace) {
  const std::string task =
      "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: opts\ndoc_to_target: ";
  const std::string document = R"({"q": "7", "opts": ["2", "1", "0"], "ans": "2", "n": true})";
  EXPECT_EQ(only_item(task + "ans\n", document).gold, 0) << "the choice that reads 2";
  EXPECT_EQ(only_item(task + "\"{{ans}}\"\n", document).gold, 2) << "the place 2";
  EXPECT_EQ(only_item(task + "n\n", document).gold, 1) << "True is 1";
  EXPECT_EQ(only_item(task + "ans\n", document).prompt, "7") << "digits of a column are a text";
}

TEST(ImportTask, ChoicesAreListsMapsOrPythonsLiterals) {
  const std::string task = "output_type: multiple_choice\ndoc_to_text: q\ndoc_to_target: 1\n";
  const std::string document = R"({"q": "Q", "a": "it's", "b": "no"})";
  const auto options = [&](const std::string& choice) {
    return only_item(task + "doc_to_choice: " + choice + "\n", document).options;
  };
  const std::vector<std::string> both = {"it's", "no"};
  EXPECT_EQ(options(R"("{{[a, b]}}")"), both);
  EXPECT_EQ(options(R"('["{{a}}", "{{b}}"]')"), both);
  EXPECT_EQ(options(R"({x: "it's", y: "no"})"), both);
  EXPECT_EQ(options(R"("['yes', \"no\",]")"), (std::vector<std::string>{"yes", "no"}));
}

TEST(ImportTask, GenerationWithChoicesWantsTheRightOnesText) {
  const TempFolder folder;
  write_file_atomically(
      folder / "t.yaml",
      "task: t\ntest_split: test\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_choice: "
      "[North, South]\ndoc_to_target: n\ngeneration_kwargs: {temperature: 0.5, max_new_tokens: 9, "
      "top_p: 0.75, until: [x]}\n");
  write_file_atomically(folder / "test.jsonl", R"({"q": "Q", "n": 1})");
  const auto exam = opened(folder, import_lm_eval_task(folder / "t.yaml", folder.path(), ""));
  EXPECT_EQ(exam->item(0).answer, "South");
  const GenerateSettings settings = exam->protocol().generate;
  EXPECT_EQ(settings.temperature, 0.5) << "sampled where only a temperature is given";
  EXPECT_EQ(settings.top_p, 0.75);
  EXPECT_EQ(settings.max_tokens, 9);
}

// Examples spelled out in the task file go through its templates as rows do.
TEST(ImportTask, SamplesOfTheFileAreWorkedExamples) {
  const ExamItem item = only_item(
      "output_type: generate_until\ndoc_to_text: \"Q: {{q}}\\nA:\"\ndoc_to_target: \"{{a}}\"\n"
      "num_fewshot: 2\nfewshot_config:\n  sampler: first_n\n  samples:\n    - {q: one, a: 1}\n"
      "    - {q: two, a: II}\n    - {q: three, a: 3}\n"
      "metric_list:\n  - metric: exact_match\n    regexes_to_ignore: [\"\\n\", \",\"]\n",
      R"({"q": "four", "a": "4"})");
  EXPECT_EQ(item.prompt, "Q: one\nA: 1\n\nQ: two\nA: II\n\nQ: four\nA:");
}

TEST(ImportTask, AccBytesIsTheScorePerByte) {
  const TempFolder folder;
  write_file_atomically(
      folder / "t.yaml",
      "task: t\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\n"
      "doc_to_choice: [\"是\", \"no\"]\ndoc_to_target: 0\nmetric_list:\n  - metric: "
      "acc\n  - metric: acc_bytes\n");
  write_file_atomically(folder / "test.jsonl", R"({"q": "Q"})");
  const auto exam = opened(folder, import_lm_eval_task(folder / "t.yaml", folder.path(), ""));
  EXPECT_EQ(exam->protocol().also,
            (std::vector<ChoiceScore>{ChoiceScore::kPerChar, ChoiceScore::kPerByte}));
}

// Stripped where the harness strips, and no filter is forgotten.
TEST(ImportTask, ChainsOfFilters) {
  std::vector<std::string> notes;
  const auto rule = [&](std::initializer_list<const char*> steps) {
    Json chain = Json::array();
    for (const char* step : steps) chain.push_back(Json::parse(step));
    return lm_eval_rule(chain, notes).value_or("");
  };
  const char* regex = R"js({"function": "regex", "regex_pattern": "is (.*)"})js";
  const char* space = R"({"function": "remove_whitespace"})";
  const char* take = R"({"function": "take_first"})";
  EXPECT_EQ(rule({regex, space, take}), "first_stripped:is (.*)");
  EXPECT_EQ(rule({space, take}), "first_stripped:(?s)(.*)");
  EXPECT_EQ(rule({take}), "first:(?s)(.*)");
  EXPECT_EQ(rule({R"({"function": "regex", "regex_pattern": "a\nb"})"}), "first_stripped:a\\nb");
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(rule({space, regex}), "");
  EXPECT_EQ(rule({regex, regex}), "");
  EXPECT_EQ(rule({regex, R"({"function": "lowercase"})"}), "");
  EXPECT_EQ(rule({R"({"function": "regex", "fallback": "A"})"}), "");
  EXPECT_EQ(rule({R"({"function": "regex", "group_select": 1})"}), "");
  EXPECT_EQ(rule({R"({"function": "regex", "ignore_case": true})"}), "");
  EXPECT_EQ(notes.size(), 6u);
}

std::string refused(const std::string& text, Code code = Code::kUnsupported) {
  const TempFolder folder;
  write_file_atomically(folder / "t.yaml", text);
  const Error error =
      error_of([&] { import_lm_eval_task(folder / "t.yaml", kTasks / "rows", "t"); });
  EXPECT_EQ(error.code(), code) << error.what();
  return error.what();
}

TEST(ImportTask, WhatIsNotKnownIsRefusedByName) {
  const std::string base =
      "task: t\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\n"
      "doc_to_choice: opts\ndoc_to_target: ans\n";
  EXPECT_THAT(refused(base + "process_docs: !function utils.process\n"),
              HasSubstr("t.yaml:7: process_docs: !function utils.process. Python code is not run"));
  EXPECT_THAT(refused(base + "process_results: x\n"),
              HasSubstr("t.yaml:7: key \"process_results\": not known"));
  EXPECT_THAT(refused(base + "metric_list:\n  - metric: brier_score\n"), HasSubstr("brier_score"));
  EXPECT_THAT(refused(base + "output_type: loglikelihood\n", Code::kInput), HasSubstr("t.yaml:7"))
      << "a key given twice";
  EXPECT_THAT(refused("task: t\ntest_split: test\noutput_type: loglikelihood\ndoc_to_text: q\n"
                      "doc_to_target: ans\n"),
              HasSubstr("output_type: found \"loglikelihood\""));
  EXPECT_THAT(refused(base + "fewshot_config: {sampler: balanced}\n"), HasSubstr("balanced"));
  EXPECT_THAT(refused(base + "repeats: 4\n"), HasSubstr("repeats"));
  EXPECT_THAT(refused(base + "description: \"{{subject}}\"\n"), HasSubstr("{{subject}}"));
  const std::string generate =
      "task: t\ntest_split: test\noutput_type: generate_until\ndoc_to_text: q\ndoc_to_target: "
      "subject\n";
  EXPECT_THAT(refused(generate + "filter_list:\n  - name: x\n    filter:\n      - function: "
                                 "majority_vote\n"),
              HasSubstr("majority_vote"));
  EXPECT_THAT(refused(generate + "generation_kwargs: {until: [x], num_beams: 4}\n"),
              HasSubstr("num_beams"));
  EXPECT_THAT(refused(generate + "metric_list: [{metric: bleu}]\n"), HasSubstr("bleu"));
  EXPECT_THAT(refused("group: g\ntask: [a, b]\naggregate_metric_list: [{metric: acc}]\n"),
              HasSubstr("a group has none; import its tasks' files"));
  EXPECT_THAT(refused("task: t\ntest_split: test\noutput_type: generate_until\ndoc_to_text: "
                      "\"{{nowhere}}\"\ndoc_to_target: subject\n",
                      Code::kInput),
              HasSubstr("'nowhere' is undefined"));
  // A wrong document is the file's fault, and its line is named.
  EXPECT_THAT(refused("task: t\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\n"
                      "doc_to_choice: opts\ndoc_to_target: subject\n",
                      Code::kInput),
              HasSubstr("test.jsonl:1: doc_to_target"));
}

}  // namespace
}  // namespace keju
