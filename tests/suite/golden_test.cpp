// SPDX-License-Identifier: MIT
// First rendered prompts of suites and protocols, byte for byte. The strings are those of the
// harnesses themselves, as the protocol notes record them (rendered with their own code).
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "suite/exam.h"
#include "tests/support/require.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A data set of placeholder items: two worked examples with gold A and B, one item.
class Placeholders : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string ceval = "id,question,A,B,C,D,answer,explanation\n";
    write(folder_ / "ceval" / "dev" / "logic_dev.csv",
          ceval + "0,Q0,a0,b0,c0,d0,A,x\n1,Q1,a1,b1,c1,d1,B,x\n");
    write(folder_ / "ceval" / "val" / "logic_val.csv",
          "id,question,A,B,C,D,answer\n0,QT,aT,bT,cT,dT,C\n");
    const std::string cmmlu = ",Question,A,B,C,D,Answer\n";
    write(folder_ / "cmmlu" / "dev" / "logical.csv",
          cmmlu + "0,Q0,a0,b0,c0,d0,A\n1,Q1,a1,b1,c1,d1,B\n");
    write(folder_ / "cmmlu" / "test" / "logical.csv", cmmlu + "0,QT,aT,bT,cT,dT,C\n");
  }

  ExamItem first(const std::string& suite, const std::string& protocol, int shots) {
    ExamOptions options;
    options.suite = suite;
    options.data = folder_.path();
    options.protocol = protocol;
    options.subjects = {suite == "ceval" ? "logic" : "logical"};
    options.shots = shots;
    const auto exam = Exam::open(options);
    EXPECT_EQ(exam->size(), 1);
    return exam->item(0);
  }

  // Prompt and gold option as one text: what a whole-sequence score reads.
  std::string scored(const std::string& suite, const std::string& protocol, int shots = 2) {
    const ExamItem item = first(suite, protocol, shots);
    EXPECT_EQ(item.gold, 2);
    return item.prompt + item.continuations[2];
  }

  TempFolder folder_;
};

TEST_F(Placeholders, CevalOpencompassPpl578f8d) {
  const std::string header = "以下是中国关于逻辑学考试的单项选择题，请选出其中的正确答案。\n";
  EXPECT_EQ(scored("ceval", "ceval/oc-ppl-578f8d"),
            header + "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案: \nA\n\n\n" + header +
                "Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案: \nB\n\n\n\n\n" + header +
                "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案: \nC");
}

TEST_F(Placeholders, CevalOpencompassGen5f30c7) {
  const std::string header = "以下是中国关于逻辑学考试的单项选择题，请选出其中的正确答案。\n";
  const ExamItem item = first("ceval", "oc-gen-5f30c7", 2);
  EXPECT_EQ(item.prompt,
            header + "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案: \nA\n" + header +
                "Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案: \nB\n" + header +
                "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案: ");
  EXPECT_EQ(item.answer, "C");
  EXPECT_TRUE(item.continuations.empty());
  EXPECT_EQ(item.options, (std::vector<std::string>{"A", "B", "C", "D"}));
}

TEST_F(Placeholders, CevalOpencompassPpl1cd8bf) {
  EXPECT_EQ(scored("ceval", "oc-ppl-1cd8bf"),
            "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案: A\n\n"
            "Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案: B\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案: C");
}

TEST_F(Placeholders, CmmluOpencompassPpl8b9c76) {
  const std::string header = "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n";
  EXPECT_EQ(scored("cmmlu", "opencompass"),
            header + "题目：Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案是: A\n\n\n" + header +
                "题目：Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案是: B\n\n\n\n\n" + header +
                "题目：QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案是: C");
}

TEST_F(Placeholders, CmmluOpencompassPpl041cbf) {
  EXPECT_EQ(scored("cmmlu", "cmmlu/oc-ppl-041cbf"),
            "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n"
            "题目：Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案是: A\n\n"
            "题目：Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案是: B\n\n"
            "题目：QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案是: C");
}

TEST_F(Placeholders, CmmluOpencompassGenC13365) {
  const std::string header = "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n";
  EXPECT_EQ(first("cmmlu", "oc-gen-c13365", 2).prompt,
            header + "题目：Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案是: A\n" + header +
                "题目：Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案是: B\n" + header +
                "题目：QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案是: ");
}

TEST_F(Placeholders, CevalOfficial) {
  EXPECT_EQ(scored("ceval", "official"),
            "以下是中国关于逻辑学考试的单项选择题，请选出其中的正确答案。\n\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案：A\n\n"
            "Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案：B\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案：C");
  EXPECT_EQ(scored("ceval", "official-ao", 0),
            "以下是中国关于逻辑学考试的单项选择题，请选出其中的正确答案。\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案：C");
}

TEST_F(Placeholders, CmmluOfficial) {
  EXPECT_EQ(scored("cmmlu", "official"),
            "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n\n"
            "题目：Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案是：A\n\n"
            "题目：Q1\nA. a1\nB. b1\nC. c1\nD. d1\n答案是：B\n\n"
            "题目：QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案是：C");
  EXPECT_EQ(first("cmmlu", "hf-causal", 0).prompt, first("cmmlu", "official", 0).prompt);
}

TEST_F(Placeholders, LmEvalPutsASpaceBeforeTheLetter) {
  EXPECT_EQ(scored("cmmlu", "lm-eval", 1),
            "以下是关于逻辑学的单项选择题，请直接给出正确答案的选项。\n\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案： A\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案： C");
  EXPECT_EQ(scored("ceval", "lme", 1),
            "以下是中国关于逻辑学的单项选择题，请选出其中的正确答案。\n\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案： A\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案： C");
}

TEST_F(Placeholders, OtherCevalScripts) {
  EXPECT_EQ(scored("ceval", "ceval/qwen", 1),
            "问题：Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案：A\n\n"
            "问题：QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案：C");
  EXPECT_EQ(scored("ceval", "baichuan", 1),
            "以下是中国关于逻辑学考试的单项选择题，请选出其中的正确答案。\n\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\n答案：A\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案：C");
  EXPECT_EQ(scored("ceval", "llama", 0),
            "以下是中国关于logic考试的单项选择题，请选出其中的正确答案。\n\n"
            "QT\nA. aT\nB. bT\nC. cT\nD. dT\n答案：C");
}

// The harness's own hashes of a two-shot context and of a row.
TEST(Golden, LmEvalContextAndRowHashes) {
  TempFolder folder;
  write(folder / "ceval" / "dev" / "logic_dev.csv",
        "id,question,A,B,C,D,answer,explanation\n"
        "0,下列哪个是质数____,4,6,7,9,C,x\n"
        "1,1+1=____,1,2,3,4,B,x\n");
  write(folder / "ceval" / "val" / "logic_val.csv",
        "id,question,A,B,C,D,answer\n"
        "0,下列哪个是质数____,4,6,7,9,C\n");
  // The context names the subject 数学, which C-Eval does not have alone: a card of our own does.
  std::string card = read_file("datasets/ceval/dataset.yaml");
  card.replace(card.find("zh: 逻辑学"), std::string("zh: 逻辑学").size(), "zh: 数学");
  write(folder / "ceval" / "dataset.yaml", card);
  ExamOptions options;
  options.suite = "ceval";
  options.data = folder.path();
  options.protocol = "lm-eval";
  options.subjects = {"logic"};
  options.shots = 2;
  const ExamItem item = Exam::open(options)->item(0);
  EXPECT_EQ(sha256_hex(item.prompt),
            "fdff2f589fec8ae277f7ebe22dc894316b11db84cf9eef4dea5fb93922dba814");
  EXPECT_EQ(sha256_hex(python_dumps(item.doc, 2)),
            "9a2d53214f2a08a7bd278fcb0f4e8c36437da1714f277960b6b8b85130ee57f4");
}

// Two lines of the harness's own log.
TEST(Golden, LmEvalSampleLog) {
  KEJU_NEED(shared);
  ExamOptions options;
  options.suite = "cmmlu";
  options.data = shared_dir() / "data";
  options.protocol = "lm-eval";
  options.subjects = {"agronomy"};
  options.shots = 5;
  const auto exam = Exam::open(options);
  std::ifstream log(shared_dir() / "oracles/lm-eval/sample_log_example.jsonl");
  int lines = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    const Json sample = parse_json(line, "sample");
    const ExamItem item = exam->item(sample["doc_id"].get<int64_t>());
    for (size_t i = 0; i < 4; ++i) {
      const Json& arguments = sample["arguments"]["gen_args_" + std::to_string(i)];
      EXPECT_EQ(item.prompt, arguments["arg_0"].get<std::string>());
      EXPECT_EQ(item.continuations[i], arguments["arg_1"].get<std::string>());
    }
    EXPECT_EQ(python_dumps(item.doc), python_dumps(sample["doc"]));
    EXPECT_EQ(sha256_hex(item.prompt), sample["prompt_hash"].get<std::string>());
    EXPECT_EQ(sha256_hex(python_dumps(item.doc, 2)), sample["doc_hash"].get<std::string>());
    EXPECT_EQ(std::to_string(item.gold), sample["target"].get<std::string>());
  }
  EXPECT_EQ(lines, 2);
}

// The items that the recorded lm-eval runs scored are ours, gold answers included.
TEST(Golden, LmEvalTargets) {
  KEJU_NEED(shared);
  for (const auto& [file, suite] :
       {std::pair{"gemma3-5shot.jsonl", "cmmlu"}, std::pair{"gemma3-5shot-ceval.jsonl", "ceval"}}) {
    std::map<std::string, std::unique_ptr<Exam>> exams;
    std::ifstream log(shared_dir() / "oracles/lm-eval" / file);
    int lines = 0;
    for (std::string line; std::getline(log, line); ++lines) {
      const Json sample = parse_json(line, file);
      const std::string subject = sample["subject"].get<std::string>();
      if (!exams.contains(subject)) {
        ExamOptions options;
        options.suite = suite;
        options.data = shared_dir() / "data";
        options.protocol = "lm-eval";
        options.subjects = {subject};
        exams[subject] = Exam::open(options);
      }
      const ExamItem item = exams[subject]->item(sample["doc_id"].get<int64_t>());
      EXPECT_EQ(item.row, sample["doc_id"].get<int64_t>());
      EXPECT_EQ(item.gold, sample["target"].get<int64_t>()) << item.id;
    }
    EXPECT_GT(lines, 80);
  }
}

TEST(Golden, Gsm8k) {
  KEJU_NEED(shared);
  ExamOptions options;
  options.suite = "gsm8k";
  options.data = shared_dir() / "data";
  const std::string janet = "Janet’s ducks lay 16 eggs per day.";
  const ExamItem official = Exam::open(options)->item(0);
  EXPECT_TRUE(official.prompt.starts_with(
      "Question: Natalia sold clips to 48 of her friends in April, and then she sold half as many "
      "clips in May. How many clips did Natalia sell altogether in April and May?\n"
      "Answer: Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
      "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72\n\n"
      "Question: Weng earns $12 an hour"));
  EXPECT_TRUE(official.prompt.ends_with("at the farmers' market?\nAnswer:"));
  EXPECT_EQ(official.answer, "18");

  // The sampler's first draw is [6374, 3610, 957, 61, 742]; row 6374 is about gymnasts.
  options.protocol = "lm-eval";
  const ExamItem sampled = Exam::open(options)->item(0);
  EXPECT_TRUE(sampled.prompt.starts_with("Question: Jen and Tyler are gymnasts practicing flips."))
      << sampled.prompt.substr(0, 80);
  EXPECT_EQ(sampled.shots, 5);

  options.protocol = "lm-eval-cot";
  const ExamItem chain = Exam::open(options)->item(0);
  EXPECT_TRUE(chain.prompt.starts_with("Q: There are 15 trees in the grove. "));
  EXPECT_NE(
      chain.prompt.find("So there must have been 21 - 15 = 6. The answer is 6.\n\nQ: If there"),
      std::string::npos);
  EXPECT_NE(chain.prompt.find("23 - 15 is 8. The answer is 8.\n\nQ: " + janet), std::string::npos);
  EXPECT_TRUE(chain.prompt.ends_with("farmers' market?\nA:"));

  options.protocol = "opencompass";
  const ExamItem compass = Exam::open(options)->item(0);
  EXPECT_TRUE(compass.prompt.starts_with("Question: Angelo and Melanie want"));
  EXPECT_NE(
      compass.prompt.find("?\nLet's think step by step\nAnswer:\nFor the first three baskets"),
      std::string::npos);
  EXPECT_NE(compass.prompt.find("The answer is 146\n\nQuestion: " + janet), std::string::npos);
  EXPECT_TRUE(compass.prompt.ends_with("market?\nLet's think step by step\nAnswer:"));
}

TEST(Golden, Cmath) {
  KEJU_NEED(shared);
  ExamOptions options;
  options.suite = "cmath";
  options.data = shared_dir() / "data";
  const ExamItem item = Exam::open(options)->item(0);
  EXPECT_EQ(item.id, "cmath/grade_1/dev/0");
  EXPECT_EQ(item.prompt, "芳芳买了一本书有99页，看了90页，她还剩多少页没有看？");
  EXPECT_EQ(item.answer, "9");
  options.protocol = "evalscope";
  EXPECT_EQ(Exam::open(options)->item(0).prompt,
            "芳芳买了一本书有99页，看了90页，她还剩多少页没有看？\n"
            "请一步一步推理，最后将答案放在\\boxed{}中。");
}

// What a chat model is sent before its template, as a list of [role, text]: the answer's beginning
// last.
Json chat_of(const ExamItem& item) {
  Json chat = Json::array();
  if (!item.system.empty()) chat.push_back(Json::array({"system", item.system}));
  const std::vector<std::string> alone = {item.prompt};
  const std::vector<std::string>& turns = item.turns.empty() ? alone : item.turns;
  for (size_t i = 0; i < turns.size(); ++i) {
    chat.push_back(Json::array({"user", turns[i]}));
    if (i < item.answers.size()) chat.push_back(Json::array({"assistant", item.answers[i]}));
  }
  if (!item.prefill.empty()) chat.push_back(Json::array({"assistant", item.prefill}));
  return chat;
}

// First items on the real data, against texts that scripts/golden_prompts.py puts together from the
// protocols' descriptions. Only their hashes are kept: the licences forbid the texts.
TEST(Golden, FirstPromptsOfEverySuiteOnTheRealData) {
  KEJU_NEED(shared);
  std::ifstream file("tests/suite/golden_prompts.jsonl");
  std::set<std::string> seen;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const Json golden = parse_json(line, fmt::format("golden_prompts.jsonl:{}", ++number));
    ExamOptions options;
    options.suite = golden["suite"].get<std::string>();
    options.data = shared_dir() / "data";
    options.protocol = golden["protocol"].get<std::string>();
    options.subjects = {golden["subject"].get<std::string>()};
    options.limit = 1;
    seen.insert(options.suite + "/" + options.protocol);
    const auto exam = Exam::open(options);
    ASSERT_EQ(exam->size(), 1) << line;
    const ExamItem item = exam->item(0);
    EXPECT_EQ(count_code_points(item.prompt), golden["characters"].get<size_t>()) << line;
    EXPECT_EQ(sha256_hex(item.prompt), golden["prompt_sha256"].get<std::string>()) << line << "\n"
                                                                                   << item.prompt;
    if (!golden["continuations"].is_null()) {
      EXPECT_EQ(item.continuations, golden["continuations"].get<std::vector<std::string>>())
          << line;
      EXPECT_EQ(item.gold, golden["gold"].get<int>()) << line;
    }
    if (!golden["answer_sha256"].is_null()) {
      EXPECT_EQ(sha256_hex(item.answer), golden["answer_sha256"].get<std::string>()) << line << "\n"
                                                                                     << item.answer;
    }
    EXPECT_EQ(golden.contains("conclusion_sha256"), !exam->protocol().conclude.empty()) << line;
    if (golden.contains("conclusion_sha256")) {
      const std::string conclusion = exam->concluding_prompt(0, "因为它是第一个。");
      EXPECT_EQ(sha256_hex(conclusion), golden["conclusion_sha256"].get<std::string>())
          << line << "\n"
          << conclusion;
    }
    if (!golden["chat_sha256"].is_null()) {
      EXPECT_TRUE(exam->protocol().generate.chat) << line;
      const std::string chat = chat_of(item).dump();
      EXPECT_EQ(sha256_hex(chat), golden["chat_sha256"].get<std::string>()) << line << "\n" << chat;
    }
  }
  // gsm8k/lm-eval-cot's chain of examples is pinned above, by its text.
  seen.insert("gsm8k/lm-eval-cot");
  for (const char* suite : {"ceval",
                            "cmmlu",
                            "gsm8k",
                            "cmath",
                            "cmath-distractor",
                            "agieval",
                            "gaokao",
                            "c3",
                            "humaneval",
                            "chinese_simpleqa"}) {
    for (const Protocol& protocol : suite_protocols(suite)) {
      EXPECT_TRUE(seen.contains(protocol.id)) << protocol.id << " has no golden prompt";
    }
  }
}

}  // namespace
}  // namespace keju
