// SPDX-License-Identifier: MIT
// Totals of the real data sets and of our own sample.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "suite/embedded.h"
#include "suite/exam.h"
#include "suite/lint.h"
#include "suite/open_data.h"
#include "tests/support/require.h"

namespace keju {
namespace {

std::unique_ptr<Exam> open(const std::string& suite,
                           const std::string& split = "",
                           bool shared = true) {
  ExamOptions options;
  options.suite = suite;
  if (shared) options.data = shared_dir() / "data";
  options.split = split;
  return Exam::open(options);
}

std::map<std::string, int64_t> by_category(const Exam& exam) {
  std::map<std::string, int64_t> counts;
  for (const SubjectInfo& subject : exam.subjects()) {
    for (const std::string& category : subject.categories) counts[category] += subject.items;
  }
  return counts;
}

TEST(RealData, CevalTotals) {
  KEJU_NEED(shared);
  const auto val = open("ceval");
  EXPECT_EQ(val->size(), 1346);
  EXPECT_EQ(val->split(), "val");
  EXPECT_EQ(val->shots(), 5);
  EXPECT_EQ(val->subjects().size(), 52u);
  EXPECT_TRUE(val->data_hash_matches_card());
  EXPECT_DOUBLE_EQ(val->chance(), 0.25);
  auto counts = by_category(*val);
  EXPECT_EQ(counts["STEM"], 430);
  EXPECT_EQ(counts["Social Science"], 275);
  EXPECT_EQ(counts["Humanities"], 257);
  EXPECT_EQ(counts["Other"], 384);
  EXPECT_EQ(counts["Hard"], 19 + 16 + 18 + 24 + 19 + 18 + 19 + 19);
  EXPECT_EQ(val->categories(),
            (std::vector<std::string>{"STEM", "Social Science", "Humanities", "Other", "Hard"}));

  const auto test = open("ceval", "test");
  EXPECT_EQ(test->size(), 12342);
  counts = by_category(*test);
  EXPECT_EQ(counts["STEM"], 3965);
  EXPECT_EQ(counts["Social Science"], 2520);
  EXPECT_EQ(counts["Humanities"], 2364);
  EXPECT_EQ(counts["Other"], 3493);
  for (const int64_t index : {int64_t{0}, int64_t{7000}, test->size() - 1}) {
    EXPECT_EQ(test->item(index).gold, -1) << "the first release has no test labels";
  }
  EXPECT_TRUE(test->data_hash_matches_card());
  EXPECT_NE(test->data_hash(), val->data_hash());
}

TEST(RealData, CmmluTotals) {
  KEJU_NEED(shared);
  const auto exam = open("cmmlu");
  EXPECT_EQ(exam->size(), 11582);
  EXPECT_EQ(exam->subjects().size(), 67u);
  EXPECT_TRUE(exam->data_hash_matches_card());
  auto counts = by_category(*exam);
  EXPECT_EQ(counts["STEM"], 2531);
  EXPECT_EQ(counts["Humanities"], 2489);
  EXPECT_EQ(counts["Social Science"], 3652);
  EXPECT_EQ(counts["Other"], 2910);
  EXPECT_EQ(counts["China specific"], 2572);
  std::map<int, int> golds;
  for (int64_t i = 0; i < exam->size(); ++i) ++golds[exam->item(i).gold];
  EXPECT_EQ(golds, (std::map<int, int>{{0, 2926}, {1, 2883}, {2, 2877}, {3, 2896}}));
}

// Per-subject counts of the cards, which tests of totals alone would not pin.
TEST(RealData, CardsAgreeWithTheFiles) {
  KEJU_NEED(shared);
  for (const char* name : {"ceval",
                           "cmmlu",
                           "gsm8k",
                           "cmath",
                           "cmath-distractor",
                           "agieval",
                           "gaokao",
                           "c3",
                           "chinese_simpleqa",
                           "alignbench",
                           "humaneval"}) {
    const OpenData data = open_dataset(name, shared_dir() / "data");
    for (const Finding& finding : lint(data.card, data.folder)) {
      EXPECT_NE(finding.kind, "count") << finding.at << ": " << finding.message;
      EXPECT_NE(finding.kind, "hash") << finding.at;
      EXPECT_NE(finding.kind, "missing split") << finding.message;
    }
  }
}

TEST(RealData, CardsHaveEverySubjectOnce) {
  const OpenData sample = open_dataset("keju-sample/questions", std::nullopt);
  EXPECT_EQ(sample.card.subjects.size(), 12u);
  for (const std::string& name : dataset_names()) {
    const EmbeddedFile* file = find_embedded("datasets/" + name + "/dataset.yaml");
    ASSERT_NE(file, nullptr);
    const DataCard card = DataCard::parse(file->content, name);
    EXPECT_EQ(card.name, name);
    for (const CardSplit& split : card.splits) {
      int64_t sum = 0;
      for (const CardSubject& subject : card.subjects) {
        const auto items = subject.items.find(split.id);
        if (items != subject.items.end()) sum += items->second;
      }
      // Cards of users' own files pin no hashes, and not always the subjects' counts.
      if (split.sha256.empty()) {
        EXPECT_TRUE(sum == 0 || sum == split.items) << name << " " << split.id;
        continue;
      }
      EXPECT_EQ(sum, split.items) << name << " " << split.id;
      EXPECT_EQ(split.sha256.size(), 64u) << name << " " << split.id;
    }
  }
}

// Figures of protocols: items of each examination, questions and points of GAOKAO-Bench.
TEST(RealData, ExaminationTotals) {
  KEJU_NEED(shared);
  const auto agieval = open("agieval");
  EXPECT_EQ(agieval->subjects().size(), 21u);
  EXPECT_EQ(agieval->size(), 8269);
  EXPECT_EQ(agieval->item(0).weight, 1);
  const auto gaokao = open("gaokao");
  EXPECT_EQ(gaokao->size(), 1781);
  size_t questions = 0;
  std::map<std::string, double> points;
  for (int64_t i = 0; i < gaokao->size(); ++i) {
    const ExamItem item = gaokao->item(i);
    points[item.subject] += item.weight;
    questions += item.subject == "physics" ? 1 : item.answer.size();
  }
  EXPECT_EQ(questions, 2944u);
  const std::map<std::string, double> published = {{"mathematics_2", 1090},
                                                   {"mathematics_1", 1070},
                                                   {"history", 1148},
                                                   {"biology", 900},
                                                   {"politics", 1280},
                                                   {"physics", 384},
                                                   {"chemistry", 744},
                                                   {"english_mcqs", 105},
                                                   {"chinese_modern_lit", 261},
                                                   {"english_blanks", 900},
                                                   {"english_cloze", 260},
                                                   {"geography", 380},
                                                   {"english_reading", 940},
                                                   {"chinese_usage", 240}};
  EXPECT_EQ(points, published);
  EXPECT_EQ(open("c3")->size(), 3816);
  EXPECT_EQ(open("c3", "test")->size(), 1890 + 2002);
  EXPECT_EQ(open("cmath-distractor")->size(), 360);
}

TEST(RealData, MathematicsTotals) {
  KEJU_NEED(shared);
  const auto gsm8k = open("gsm8k");
  EXPECT_EQ(gsm8k->size(), 1319);
  EXPECT_TRUE(gsm8k->data_hash_matches_card());
  EXPECT_EQ(gsm8k->chance(), 0);
  EXPECT_EQ(open("gsm8k", "train")->size(), 7473);
  const auto cmath = open("cmath");
  EXPECT_EQ(cmath->size(), 600);
  EXPECT_EQ(cmath->subjects().size(), 6u);
  for (const SubjectInfo& grade : cmath->subjects()) EXPECT_EQ(grade.items, 100);
  for (int64_t i = 0; i < cmath->size(); ++i) EXPECT_FALSE(cmath->item(i).answer.empty());
}

// What others found in CMMLU by hand, the lint finds.
// What others found in CMMLU's text: 40 items twice, some of them across subjects with their
// options in another order; one item with equal options; 12 with an option that begins all the
// others, whose sum of log-likelihoods no other option can pass by itself; a worked example that is
// also asked.
TEST(RealData, LintOfCmmlu) {
  KEJU_NEED(shared);
  const OpenData data = open_dataset("cmmlu", shared_dir() / "data");
  std::map<std::string, int> kinds;
  std::map<std::pair<std::string, char>, int> begins;  // by item of the test split and option
  bool law_leak = false;
  for (const Finding& finding : lint(data.card, data.folder)) {
    ++kinds[finding.kind];
    if (finding.kind == "prefix option" && finding.at.find("/test/") != std::string::npos) {
      ++begins[{finding.at, finding.message[0]}];
    }
    if (finding.kind == "cross-split duplicate" &&
        finding.at.find("college_law") != std::string::npos) {
      law_leak = true;
    }
  }
  EXPECT_TRUE(law_leak) << "a worked example of college_law is also asked";
  EXPECT_EQ(kinds["duplicate option"], 1);
  EXPECT_EQ(kinds["duplicate item"], 40);
  EXPECT_EQ(std::count_if(
                begins.begin(), begins.end(), [](const auto& each) { return each.second == 3; }),
            12);
  EXPECT_EQ(kinds["gold skew"], 0);
}

TEST(RealData, LintSaysThatCevalTestHasNoLabels) {
  KEJU_NEED(shared);
  const OpenData data = open_dataset("ceval", shared_dir() / "data");
  std::vector<std::string> unlabelled;
  for (const Finding& finding : lint(data.card, data.folder)) {
    if (finding.kind == "unlabelled split") unlabelled.push_back(finding.at);
  }
  EXPECT_EQ(unlabelled, std::vector<std::string>{"test"});
}

TEST(Sample, QuestionsAreManyBalancedAndDistinct) {
  const auto exam = open("keju-questions", "", false);
  EXPECT_GE(exam->size(), 240);
  EXPECT_EQ(exam->subjects().size(), 12u);
  EXPECT_EQ(exam->categories().size(), 4u);
  EXPECT_TRUE(exam->data_hash_matches_card());
  ExamOptions dev;
  dev.suite = "keju-questions";
  dev.split = "dev";
  dev.shots = 4;  // an item is never its own worked example
  EXPECT_EQ(Exam::open(dev)->size(), 60);
  std::map<int, int> golds;
  for (int64_t i = 0; i < exam->size(); ++i) ++golds[exam->item(i).gold];
  for (const auto& [gold, count] : golds) {
    EXPECT_GE(count, exam->size() / 5) << gold;
    EXPECT_LE(count, exam->size() * 3 / 10) << gold;
  }
  std::map<std::string, int> languages;
  const OpenData data = open_dataset("keju-sample/questions", std::nullopt);
  for (const CardSubject& subject : data.card.subjects) ++languages[subject.language];
  EXPECT_EQ(languages, (std::map<std::string, int>{{"en", 5}, {"zh", 7}}));
}

TEST(Sample, OptHasTwentyItemsOfEachAbilityAndEvenGolds) {
  const auto exam = open("keju-opt", "", false);
  EXPECT_EQ(exam->size(), 200);
  EXPECT_EQ(exam->subjects().size(), 10u);
  EXPECT_TRUE(exam->data_hash_matches_card());
  std::map<std::string, std::map<int, int>> golds;
  for (int64_t i = 0; i < exam->size(); ++i) ++golds[exam->item(i).subject][exam->item(i).gold];
  for (const auto& [subject, counts] : golds) {
    EXPECT_EQ(counts, (std::map<int, int>{{0, 5}, {1, 5}, {2, 5}, {3, 5}})) << subject;
  }
}

TEST(Sample, LintFindsNothingThatSpoilsAScore) {
  for (const char* name : {"keju-opt",
                           "keju-open",
                           "keju-refusal",
                           "keju-sample/questions",
                           "keju-sample/completion",
                           "keju-sample/generate",
                           "keju-sample/text"}) {
    const OpenData data = open_dataset(name, std::nullopt);
    for (const Finding& finding : lint(data.card, data.folder)) {
      // A number may begin another one ("1", "10"); letters are scored, not texts.
      if (finding.kind == "prefix option") continue;
      ADD_FAILURE() << name << ": " << finding.kind << ": " << finding.at << ": "
                    << finding.message;
    }
  }
}

TEST(Sample, PartsAndSizes) {
  EXPECT_EQ(expand_suite("keju-sample"),
            (std::vector<std::string>{
                "keju-questions", "keju-completion", "keju-generate", "keju-text"}));
  const auto completion = open("keju-completion", "", false);
  EXPECT_EQ(completion->size(), 120);
  EXPECT_EQ(open("keju-generate", "", false)->size(), 40);
  const auto text = open("keju-text", "", false);
  EXPECT_EQ(text->protocol().task, Task::kPerplexity);
  std::map<std::string, size_t> bytes;
  for (int64_t i = 0; i < text->size(); ++i) {
    const ExamItem item = text->item(i);
    EXPECT_EQ(item.prompt, item.doc["text"].get<std::string>()) << "rendered as it is";
    bytes[item.subject] += item.prompt.size();
  }
  EXPECT_GE(bytes["zh"] + bytes["en"], 200'000u);
  EXPECT_GE(bytes["zh"], 80'000u);
  EXPECT_GE(bytes["en"], 80'000u);
}

TEST(Sample, CompletionScoresWholeEndings) {
  const auto exam = open("keju-completion", "", false);
  const Protocol& protocol = exam->protocol();
  EXPECT_EQ(protocol.score, ChoiceScore::kSum);
  ASSERT_FALSE(protocol.also.empty());
  EXPECT_EQ(protocol.also[0], ChoiceScore::kPerByte);
  std::set<std::string> contexts;
  std::map<int, int> golds;
  for (int64_t i = 0; i < exam->size(); ++i) {
    const ExamItem item = exam->item(i);
    contexts.insert(item.prompt);
    ++golds[item.gold];
    ASSERT_EQ(item.options.size(), 4u);
    const bool english = item.subject == "completion_en";
    for (size_t k = 0; k < 4; ++k) {
      EXPECT_EQ(item.continuations[k], (english ? " " : "") + item.options[k]);
    }
  }
  EXPECT_EQ(contexts.size(), 120u);
  for (const auto& [gold, count] : golds) EXPECT_NEAR(count, 30, 12) << gold;
}

TEST(Sample, PromptsInBothLanguages) {
  const auto exam = open("keju-questions", "", false);
  std::map<std::string, ExamItem> firsts;
  for (int64_t i = exam->size() - 1; i >= 0; --i) firsts[exam->item(i).subject] = exam->item(i);
  const ExamItem& physics = firsts["physics"];
  EXPECT_TRUE(physics.prompt.starts_with("下面是物理方面的单项选择题，每题只有一个正确选项。\n\n"));
  EXPECT_TRUE(physics.prompt.ends_with("\n答案："));
  EXPECT_EQ(physics.continuations[1], "B");
  const ExamItem& health = firsts["health"];
  EXPECT_TRUE(health.prompt.starts_with(
      "These are multiple-choice questions on health. Each has one right answer.\n\n"));
  EXPECT_TRUE(health.prompt.ends_with("\nAnswer:"));
  EXPECT_EQ(health.continuations[1], " B");
}

TEST(Sample, GenerativeItemsHaveAnswersAndExamples) {
  const auto exam = open("keju-generate", "", false);
  for (int64_t i = 0; i < exam->size(); ++i) EXPECT_FALSE(exam->item(i).answer.empty());
  const ExamItem item = exam->item(0);
  EXPECT_EQ(item.subject, "word_problems_zh");
  EXPECT_TRUE(
      item.prompt.starts_with("问题：一支铅笔2元，小刚买了7支，付了20元。应找回多少元？\n解答："
                              "7支铅笔一共2×7=14元。应找回20-14=6元。答案是6。\n\n问题："));
  EXPECT_TRUE(item.prompt.ends_with("\n解答："));
}

}  // namespace
}  // namespace keju
