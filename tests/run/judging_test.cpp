// SPDX-License-Identifier: MIT
// Conversations, and the way of their answers through judges.
#include "run/judging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "lm/fake_model.h"
#include "run/rescore.h"
#include "run/results.h"
#include "run/runner.h"
#include "run/store.h"
#include "run/verdict_log.h"
#include "tests/support/json_schema.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::unique_ptr<Exam>> open_exams(int64_t limit) {
  ExamOptions options;
  options.suite = "keju-open";
  options.limit = limit;
  std::vector<std::unique_ptr<Exam>> exams;
  exams.push_back(Exam::open(options));
  return exams;
}

// Answers each turn with its tag and a hash of the whole conversation, which tells whether the
// earlier answers stood in it.
FakeScript answers(const std::string& tag) {
  FakeScript script;
  script.name = tag;
  script.generate = [tag](const std::string& prompt) {
    return tag + " says " + sha256_hex(prompt).substr(0, 12);
  };
  return script;
}

RunSummary make_run(const std::filesystem::path& out, const FakeScript& script, int64_t limit = 2) {
  const auto model = make_fake_model(script);
  RunOptions options;
  options.out = out;
  return run_exams(*model, open_exams(limit), options);
}

std::map<std::string, StoredItem> items_of(const std::filesystem::path& run) {
  std::map<std::string, StoredItem> items;
  for_each_item(run, "", [&](const StoredItem& item) { items[item.record.item] = item; });
  return items;
}

const std::string& text_of(const StoredItem& item) {
  return std::get<GenerateResult>(item.record.response.what).text;
}

constexpr const char* kExam = "keju-open/official:test:0shot";

TEST(Conversation, EveryTurnIsAskedAfterTheAnswersBeforeIt) {
  const TempFolder folder;
  const RunSummary summary = make_run(folder / "a", answers("m"));
  EXPECT_TRUE(summary.complete);
  EXPECT_EQ(summary.total, 40) << "ten subjects, two questions each, two turns";
  EXPECT_EQ(summary.unscored, 40);
  const auto items = items_of(folder / "a");
  const StoredItem& first = items.at("keju-open/logic/test/0.1");
  const StoredItem& second = items.at("keju-open/logic/test/0.2");
  ASSERT_EQ(second.turns.size(), 2u);
  EXPECT_EQ(second.turns[0], first.turns[0]);
  EXPECT_EQ(second.answers, std::vector<std::string>{text_of(first)});
  const std::string asked = "user: " + second.turns[0] + "\nassistant: " + text_of(first) +
                            "\nuser: " + second.turns[1] + "\n";
  EXPECT_EQ(text_of(second), "m says " + sha256_hex(asked).substr(0, 12));
  EXPECT_EQ(std::get<Unscored>(second.record.outcome).reason, "not judged");
}

TEST(Conversation, ACutRunGoesOnWhereItStopped) {
  const TempFolder folder;
  std::atomic<bool> cancel{false};
  FakeScript script = answers("m");
  int64_t asked = 0;
  script.before_response = [&](int64_t) { cancel = ++asked == 27; };
  {
    const auto model = make_fake_model(script);
    RunOptions options;
    options.out = folder / "a";
    options.cancel = &cancel;
    const RunSummary cut = run_exams(*model, open_exams(2), options);
    EXPECT_FALSE(cut.complete);
  }
  const RunSummary rest = make_run(folder / "a", answers("m"));
  EXPECT_TRUE(rest.complete);
  EXPECT_EQ(rest.resumed, 27);
  EXPECT_EQ(rest.digest, make_run(folder / "b", answers("m")).digest);
}

TEST(Conversation, ATurnAfterAFailedOneIsLeftUnfinished) {
  const TempFolder folder;
  FakeScript script = answers("m");
  const std::string bad = open_exams(1)[0]->item(0).turns[0];
  script.generate = [bad](const std::string& prompt) -> std::string {
    if (prompt.find(bad) != std::string::npos) throw std::runtime_error("lost");
    return "fine";
  };
  const RunSummary summary = make_run(folder / "a", script);
  EXPECT_FALSE(summary.complete);
  EXPECT_EQ(summary.failed, 1);
  EXPECT_EQ(read_results(folder / "a")["items"]["unfinished"], 1);
}

Json judged(const TempFolder& folder,
            const JudgeSheet& sheet,
            const JudgeAnswers& verdicts,
            const std::string& name) {
  RescoreOptions options;
  options.run = folder / "a";
  options.out = folder / name;
  options.verdicts = weigh(sheet, verdicts, {"judge", "digest", Json::object()});
  rescore(options);
  const Json results = read_results(folder / name);
  EXPECT_THAT(JsonSchema(read_json("reports/results.schema.json")).check(results), IsEmpty());
  return results["exams"][0];
}

TEST(Judging, ScoresBecomeValuesAndWhatIsNoVerdictIsCounted) {
  const TempFolder folder;
  make_run(folder / "a", answers("m"), 1);  // 20 items
  const JudgeSheet sheet = judge_sheet({folder / "a", {}, 1});
  ASSERT_EQ(sheet.tasks.size(), 20u);
  EXPECT_THAT(sheet.tasks[0].prompt, HasSubstr("[评分要点]"));
  EXPECT_THAT(sheet.tasks[0].prompt, HasSubstr("m says "));
  // Scores 4 and 8 in turn; two verdicts cannot be read and one never comes.
  FakeScript script;
  int64_t asked = 0;
  script.generate = [&](const std::string&) -> std::string {
    ++asked;
    if (asked == 3) throw std::runtime_error("timeout");
    if (asked == 5 || asked == 9) return "好";
    return asked % 2 == 0 ? "{'正确性': 6, '综合得分': 8}" : "{'正确性': 2, '综合得分': 4}";
  };
  const auto judge = make_fake_model(script);
  const JudgeAnswers said = ask_judge(*judge, sheet, {});
  const Json exam = judged(folder, sheet, said, "b");
  const Json& record = exam["judged"];
  EXPECT_EQ(record["verdicts"]["asked"], 20);
  EXPECT_EQ(record["verdicts"]["read"], 17);
  EXPECT_EQ(record["verdicts"]["unreadable"], 2);
  EXPECT_EQ(record["verdicts"]["missing"], 1);
  EXPECT_EQ(record["items_judged"], 17);
  // 10 eights and 7 fours; the three others are in no average.
  EXPECT_NEAR(exam["micro"]["value"].get<double>(), (10 * 0.8 + 7 * 0.4) / 17, 1e-12);
  EXPECT_EQ(exam["micro"]["n"], 17);
  EXPECT_EQ(exam["items"]["unscored"], 3);
  EXPECT_NEAR(record["parts"][0]["mean"].get<double>(), (10 * 6.0 + 7 * 2.0) / 17, 1e-12);
  EXPECT_EQ(record["judge"], "judge");
  EXPECT_EQ(record["judge_digest"], "digest");
  EXPECT_EQ(record["prompt_sha256"].get<std::string>().size(), 64u);
  EXPECT_THAT(exam["protocol"].get<std::string>(),
              testing::MatchesRegex("keju-open/official\\+rubric-[0-9a-f]{8}"));
}

// Judges with a log; stops after `most` answers as if it were killed. Returns how many it asked.
int64_t judge_with_log(const JudgeSheet& sheet,
                       const std::filesystem::path& out,
                       int64_t most,
                       JudgeAnswers& said) {
  FakeScript script;
  int64_t asked = 0;
  script.generate = [&](const std::string& prompt) {
    ++asked;
    return "评分“" + sha256_hex(prompt).substr(0, 8) + "”\n{'综合得分': 7}";
  };
  const auto model = make_fake_model(script);
  VerdictLog log(out, sheet, {"judge", "digest", {}});
  std::atomic<bool> stop{false};
  AskOptions ask;
  ask.known = log.found();
  ask.cancel = &stop;
  ask.keep = [&](const JudgeTask& task, const std::string& verdict) {
    log.add(task, verdict);
    if (--most == 0) stop = true;
  };
  said = ask_judge(*model, sheet, ask);
  return asked;
}

TEST(VerdictLog, CutAnywhereItIsGoneOnWith) {
  const TempFolder folder;
  make_run(folder / "a", answers("m"), 1);
  const JudgeSheet sheet = judge_sheet({folder / "a", {}, 1});
  const auto tasks = static_cast<int64_t>(sheet.tasks.size());
  JudgeAnswers whole;
  EXPECT_EQ(judge_with_log(sheet, folder / "whole", -1, whole), tasks);
  const std::string text = read_file(folder / "whole/verdicts.jsonl");
  // At every place of the log that a kill may leave behind: here those around each line's end.
  int64_t lines = -1;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', end + 1)) {
    ++lines;
    for (const size_t cut : {end - 1, end, end + 1}) {
      const auto out = folder / std::to_string(cut);
      std::filesystem::create_directories(out);
      std::ofstream(out / "verdicts.jsonl", std::ios::binary) << text.substr(0, cut);
      if (cut <= end && lines == 0) {  // not even the first line is whole
        JudgeAnswers said;
        EXPECT_EQ(judge_with_log(sheet, out, -1, said), tasks);
        continue;
      }
      JudgeAnswers said;
      EXPECT_EQ(judge_with_log(sheet, out, -1, said), tasks - lines + (cut <= end ? 1 : 0));
      EXPECT_EQ(said, whole) << cut;
      RescoreOptions wanted;
      wanted.run = folder / "a";
      wanted.out = out;
      wanted.verdicts = weigh(sheet, said, {"judge", "digest", {}});
      if (cut == end) {
        EXPECT_TRUE(rescore(wanted).complete);
      }
    }
  }
  EXPECT_EQ(lines, tasks);
}

TEST(VerdictLog, StopsInOrderAndTakesNoOtherJudgesVerdicts) {
  const TempFolder folder;
  make_run(folder / "a", answers("m"), 1);
  const JudgeSheet sheet = judge_sheet({folder / "a", {}, 1});
  JudgeAnswers said;
  judge_with_log(sheet, folder / "out", 3, said);
  EXPECT_EQ(said.size(), 3u);
  EXPECT_EQ(VerdictLog(folder / "out", sheet, {"judge", "digest", {}}).found(), said);
  const auto refusal = [&](const std::filesystem::path& out, const Judge& judge) -> std::string {
    try {
      const VerdictLog log(out, sheet, judge);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kUsage);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(folder / "out", {"judge", "other", {}}), HasSubstr("judge_digest: found"));
  EXPECT_THAT(refusal(folder / "a", {"judge", "digest", {}}), HasSubstr("folder with files"));
}

TEST(Judging, SeveralVotesAreAveraged) {
  const TempFolder folder;
  make_run(folder / "a", answers("m"), 1);
  const JudgeSheet sheet = judge_sheet({folder / "a", {}, 3});
  ASSERT_EQ(sheet.tasks.size(), 60u);
  JudgeAnswers said;
  const char* votes[] = {"3", "6", "nothing"};
  for (const JudgeTask& task : sheet.tasks) said[task.id] = votes[task.vote];
  const Json exam = judged(folder, sheet, said, "b");
  EXPECT_NEAR(exam["micro"]["value"].get<double>(), 0.45, 1e-12);
  EXPECT_EQ(exam["judged"]["verdicts"]["unreadable"], 20);
  EXPECT_EQ(exam["judged"]["items_judged"], 20);
}

// Takes the answer of `winner` wherever it stands; "first": whatever stands first.
JudgeAnswers pair_judge(const JudgeSheet& sheet, const std::string& winner) {
  FakeScript script;
  script.generate = [winner](const std::string& prompt) -> std::string {
    if (winner == "first") return "[[A]]";
    return prompt.find(winner + " says") < prompt.find("[助手A的对话结束]") ? "[[A]]" : "[[B]]";
  };
  const auto judge = make_fake_model(script);
  return ask_judge(*judge, sheet, {});
}

TEST(Judging, PairsArePlayedInBothOrders) {
  const TempFolder folder;
  make_run(folder / "a", answers("mine"), 1);
  make_run(folder / "other", answers("theirs"), 1);
  const JudgeSheet sheet = judge_sheet({folder / "a", folder / "other", 1});
  ASSERT_EQ(sheet.tasks.size(), 40u);
  const Json won = judged(folder, sheet, pair_judge(sheet, "mine"), "won");
  EXPECT_EQ(won["micro"]["value"], 1.0);
  EXPECT_EQ(won["judged"]["pairs"]["wins"], 20);
  EXPECT_EQ(won["judged"]["against"]["model"], "theirs");
  const Json lost = judged(folder, sheet, pair_judge(sheet, "theirs"), "lost");
  EXPECT_EQ(lost["micro"]["value"], 0.0);
  EXPECT_EQ(lost["judged"]["pairs"]["losses"], 20);
  EXPECT_EQ(lost["judged"]["pairs"]["not_lost"], 0.0);
  // A judge that only sees places decides nothing.
  const Json biased = judged(folder, sheet, pair_judge(sheet, "first"), "biased");
  EXPECT_EQ(biased["micro"]["value"], 0.5);
  EXPECT_EQ(biased["judged"]["pairs"]["ties"], 20);
  EXPECT_NEAR(biased["judged"]["pairs"]["three_one_none"].get<double>(), 1.0 / 3, 1e-12);
  // With one order of an item missing there is no verdict on it.
  JudgeAnswers half = pair_judge(sheet, "mine");
  half.erase(sheet.tasks[1].id);
  const Json less = judged(folder, sheet, half, "less");
  EXPECT_EQ(less["judged"]["items_judged"], 19);
  EXPECT_EQ(less["judged"]["verdicts"]["missing"], 1);
  EXPECT_EQ(less["items"]["unscored"], 1);
}

TEST(Judging, GoesOutBlindedAndComesBackInBothFormats) {
  const TempFolder folder;
  make_run(folder / "a", answers("mine"), 1);
  make_run(folder / "other", answers("theirs"), 1);
  const JudgeSheet sheet = judge_sheet({folder / "a", folder / "other", 1});
  const JudgeAnswers said = pair_judge(sheet, "mine");
  for (const SheetFormat format : {SheetFormat::kJsonl, SheetFormat::kCsv}) {
    const bool csv = format == SheetFormat::kCsv;
    const std::filesystem::path out = folder / (csv ? "csv" : "jsonl");
    const auto files = export_sheet(sheet, format, out);
    ASSERT_EQ(files.size(), 2u);
    const std::string questions = read_file(files[0]);
    EXPECT_THAT(questions, Not(HasSubstr("keju-open/"))) << "no item ids";
    EXPECT_THAT(questions, Not(HasSubstr("swapped")));
    // Filled in by hand: three of them are left open.
    std::string filled = csv ? "id,verdict\n" : "";
    size_t open = 3;
    for (const auto& [id, verdict] : said) {
      if (open > 0 && open-- > 0) continue;
      filled +=
          csv ? id + "," + verdict + "\n" : Json({{"id", id}, {"verdict", verdict}}).dump() + "\n";
    }
    const std::filesystem::path file = folder / (csv ? "f.csv" : "f.jsonl");
    write_file_atomically(file, filled);
    const JudgeOptions again = options_of_key(out / "key.json", folder / "a", folder / "other");
    const Json exam = judged(folder,
                             judge_sheet(again),
                             read_answers(file, judge_sheet(again)),
                             csv ? "from_csv" : "from_jsonl");
    EXPECT_EQ(exam["judged"]["verdicts"]["missing"], 3);
    EXPECT_EQ(exam["judged"]["verdicts"]["read"], 37);
    EXPECT_EQ(exam["judged"]["pairs"]["losses"], 0);
  }
  EXPECT_EQ(error_of([&] {
              options_of_key(folder / "csv" / "key.json", folder / "other", folder / "a");
            }).code(),
            Code::kUsage);
  write_file_atomically(folder / "bad.csv", "id,verdict\nffff,[[A]]\n");
  EXPECT_THAT(error_of([&] { read_answers(folder / "bad.csv", sheet); }).what(),
              HasSubstr("bad.csv:2: id: found \"ffff\""));
}

TEST(Judging, RefusesRunsThatHaveNothingToJudge) {
  const TempFolder folder;
  make_run(folder / "a", answers("m"), 1);
  make_run(folder / "b", answers("n"), 2);
  EXPECT_THAT(error_of([&] {
                judge_sheet({folder / "b", folder / "a", 1});
              }).what(),
              HasSubstr("need two runs of the same items"));
  const auto model = make_fake_model({});
  RunOptions options;
  options.out = folder / "c";
  std::vector<std::unique_ptr<Exam>> exams;
  ExamOptions sample;
  sample.suite = expand_suite("keju-sample")[0];
  exams.push_back(Exam::open(sample));
  run_exams(*model, exams, options);
  EXPECT_THAT(error_of([&] {
                judge_sheet({folder / "c", {}, 1});
              }).what(),
              HasSubstr("found no exam that is judged"));
}

// The protocol's dimensions go by sub-category, its temperature by category (protocols §10.1).
TEST(AlignBench, PromptsAndTemperaturesFollowTheProtocol) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "alignbench");
  std::string rows;
  int id = 0;
  for (const auto& [category, subcategory] : {std::pair("文本写作", "实用文体写作"),
                                              std::pair("数学计算", "初等数学"),
                                              std::pair("综合问答", "寻求建议"),
                                              std::pair("专业能力", "历史")}) {
    rows += Json({{"question_id", ++id},
                  {"category", category},
                  {"subcategory", subcategory},
                  {"question", "题目" + std::to_string(id)},
                  {"reference", "参考" + std::to_string(id)},
                  {"evidences", Json::array()}})
                .dump() +
            "\n";
  }
  write_file_atomically(folder / "alignbench" / "data_v1.1_release.jsonl", rows);
  ExamOptions options;
  options.suite = "alignbench";
  options.data = folder.path();
  options.subjects = {"文本写作", "数学计算", "综合问答", "专业能力"};
  std::vector<std::unique_ptr<Exam>> exams;
  exams.push_back(Exam::open(options));
  std::map<std::string, double> temperatures;
  for (int64_t i = 0; i < exams[0]->size(); ++i) {
    const ExamItem item = exams[0]->item(i);
    temperatures[item.subject] =
        item.temperature.value_or(exams[0]->protocol().generate.temperature);
  }
  EXPECT_EQ(temperatures.at("文本写作"), 0.7);
  EXPECT_EQ(temperatures.at("综合问答"), 0.7);
  EXPECT_EQ(temperatures.at("数学计算"), 0.1);
  EXPECT_EQ(temperatures.at("专业能力"), 0.1);
  const auto model = make_fake_model(answers("m"));
  RunOptions run;
  run.out = folder / "a";
  run_exams(*model, exams, run);
  const JudgeSheet sheet = judge_sheet({folder / "a", {}, 1});
  std::map<std::string, std::string> prompts;
  for (const JudgeTask& task : sheet.tasks) {
    prompts[task.prompt.substr(task.prompt.find("[参考答案开始]\n") + 21, 7)] = task.prompt;
  }
  const auto dimensions = [&](const char* reference) {
    std::string out;
    const std::string& prompt = prompts.at(reference);
    EXPECT_EQ(prompt.rfind("你是一个擅长评价文本质量的助手。\n请你以公正", 0), 0u);
    EXPECT_THAT(prompt, HasSubstr("\n[助手的答案开始]\nm says "));
    for (int i = 1; i <= 5; ++i) {
      const size_t at = prompt.find("\n" + std::to_string(i) + ". ");
      const size_t colon = prompt.find(": ", at);
      if (prompt.find("我们会给您提供") > at) out += prompt.substr(at + 4, colon - at - 4) + " ";
    }
    return out;
  };
  EXPECT_EQ(dimensions("参考1"), "事实正确性 满足用户需求 逻辑连贯性 创造性 丰富度 ");
  EXPECT_EQ(dimensions("参考2"), "事实正确性 满足用户需求 逻辑连贯性 完备性 ");
  EXPECT_EQ(dimensions("参考3"), "事实正确性 满足用户需求 公平与可负责程度 创造性 ");
  EXPECT_EQ(dimensions("参考4"), "事实正确性 满足用户需求 清晰度 完备性 ");
}

}  // namespace
}  // namespace keju
