// SPDX-License-Identifier: MIT
// Suites on the user's own files: small files in the published layouts, and the prompts that the
// protocols' descriptions give for them, written out by hand.
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "suite/archive.h"
#include "suite/card.h"
#include "suite/embedded.h"
#include "suite/encoding.h"
#include "suite/exam.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

class Layouts : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }

  std::unique_ptr<Exam> open(const std::string& suite,
                             const std::string& protocol = "official",
                             std::optional<int> shots = std::nullopt,
                             std::vector<std::string> subjects = {}) {
    ExamOptions options;
    options.suite = suite;
    options.protocol = protocol;
    options.data = folder_.path();
    options.shots = shots;
    options.subjects = std::move(subjects);
    return Exam::open(options);
  }

  TempFolder folder_;
};

TEST_F(Layouts, MmluCsvWithoutHeader) {
  put("mmlu/dev/virology_dev.csv", "Q0,a0,b0,c0,d0,B\n");
  put("mmlu/test/virology_test.csv", "\"Q, T\",aT,bT,cT,dT,D\n");
  const ExamItem item = open("mmlu", "hendrycks", 1, {"virology"})->item(0);
  EXPECT_EQ(item.prompt,
            "The following are multiple choice questions (with answers) about  virology.\n\n"
            "Q0\nA. a0\nB. b0\nC. c0\nD. d0\nAnswer: B\n\n"
            "Q, T\nA. aT\nB. bT\nC. cT\nD. dT\nAnswer:");
  EXPECT_EQ(item.continuations, (std::vector<std::string>{" A", " B", " C", " D"}));
  EXPECT_EQ(item.gold, 3);
  EXPECT_EQ(open("mmlu", "lm-eval", 0, {"virology"})->item(0).prompt,
            "The following are multiple choice questions (with answers) about virology.\n\n"
            "Q, T\nA. aT\nB. bT\nC. cT\nD. dT\nAnswer:");
  const ExamItem words = open("mmlu", "lm-eval-continuation", 0, {"virology"})->item(0);
  EXPECT_EQ(words.prompt,
            "The following are questions (with answers) about virology.\n\n"
            "Question: Q, T\nAnswer:");
  EXPECT_EQ(words.continuations[3], " dT");
}

TEST_F(Layouts, MmluProHasUpToTenOptions) {
  const std::string row =
      R"({"question_id": %, "question": "Q%", "options": ["o1", "o2", "N/A"], "answer": "B",)"
      R"( "answer_index": 1, "cot_content": "A: Let's think step by step. So. The answer is (B).",)"
      R"( "category": "law", "src": "x"})";
  const auto numbered = [&](const std::string& number) {
    std::string out = row;
    for (size_t at = out.find('%'); at != std::string::npos; at = out.find('%')) {
      out.replace(at, 1, number);
    }
    return out + "\n";
  };
  put("mmlu-pro/validation.jsonl", numbered("1"));
  put("mmlu-pro/test.jsonl", numbered("2"));
  const ExamItem item = open("mmlu-pro", "official", 1, {"law"})->item(0);
  EXPECT_EQ(item.prompt,
            "The following are multiple choice questions (with answers) about law. Think step by "
            "step and then finish your answer with \"the answer is (X)\" where X is the correct "
            "letter choice.\n\n\n"
            "Question:\nQ1\nOptions:\nA. o1\nB. o2\nAnswer: Let's think step by step. So. The "
            "answer is (B).\n\n"
            "Question:\nQ2\nOptions:\nA. o1\nB. o2\nAnswer: Let's think step by step.");
  EXPECT_EQ(item.answer, "B");
  EXPECT_EQ(item.options.size(), 2u) << "N/A is no option";
  const ExamItem lme = open("mmlu-pro", "lm-eval", 1, {"law"})->item(0);
  EXPECT_EQ(lme.prompt,
            "The following are multiple choice questions (with answers) about law. Think step by "
            "step and then finish your answer with \"the answer is (X)\" where X is the correct "
            "letter choice.\n"
            "Question:\nQ1\nOptions:\nA. o1\nB. o2\nAnswer: Let's think step by step. So. The "
            "answer is (B).\n\n"
            "Question:\nQ2\nOptions:\nA. o1\nB. o2\nAnswer: Let's think step by step.");
}

TEST_F(Layouts, ArcLabelsMayBeNumbers) {
  put("arc/ARC-Easy/test.jsonl",
      R"({"id": "a", "question": "QT", "choices": {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "answerKey": "2"})");
  const ExamItem item = open("arc", "lm-eval", std::nullopt, {"ARC-Easy"})->item(0);
  EXPECT_EQ(item.prompt, "Question: QT\nAnswer:");
  EXPECT_EQ(item.continuations, (std::vector<std::string>{" x", " y", " z"}));
  EXPECT_EQ(item.gold, 1);
}

TEST_F(Layouts, HellaswagTextsAreCleaned) {
  put("hellaswag/hellaswag_val.jsonl",
      R"({"ind": 1, "activity_label": "Roof", "ctx_a": "A man [step] sits. ", "ctx_b": "he SAYS [title] go",)"
      R"( "ctx": "unused", "endings": ["starts [substeps] up.", " is  on.", "x", "y"], "label": 3, "split": "val"})");
  const ExamItem item = open("hellaswag", "lm-eval")->item(0);
  // Brackets go, one pass over double spaces; capitalize lowers the rest of ctx_b.
  EXPECT_EQ(item.prompt, "Roof: A man sits. He says. go");
  EXPECT_EQ(item.continuations, (std::vector<std::string>{" starts up.", " is on.", " x", " y"}));
  EXPECT_EQ(item.gold, 3);
}

TEST_F(Layouts, WinograndeSentencesShareTheirBeginning) {
  put("winogrande/dev.jsonl",
      R"({"qID": "q", "sentence": "Ann met Eve because _ was late.", "option1": "Ann", "option2": "Eve", "answer": "2"})");
  const ExamItem item = open("winogrande")->item(0);
  EXPECT_EQ(item.prompt, "Ann met Eve because");
  EXPECT_EQ(item.continuations, (std::vector<std::string>{" Ann was late.", " Eve was late."}));
  EXPECT_EQ(item.gold, 1);
}

TEST_F(Layouts, TruthfulQaHasSeveralRightAnswers) {
  put("truthfulqa/validation.jsonl",
      R"({"question": "Why?", "mc1_targets": {"choices": ["r", "w"], "labels": [1, 0]},)"
      R"( "mc2_targets": {"choices": ["r", "s", "w"], "labels": [1, 1, 0]}})");
  const ExamItem one = open("truthfulqa-mc1")->item(0);
  EXPECT_TRUE(
      one.prompt.starts_with("Q: What is human life expectancy in the United States?\nA: "));
  EXPECT_TRUE(
      one.prompt.ends_with("A: The 1992 Olympics were held in Barcelona, Spain.\n\nQ: Why?\nA:"));
  EXPECT_EQ(one.continuations, (std::vector<std::string>{" r", " w"}));
  const ExamItem two = open("truthfulqa-mc2")->item(0);
  EXPECT_EQ(two.golds, (std::vector<int>{0, 1}));
  EXPECT_EQ(open("truthfulqa-mc2")->protocol().score, ChoiceScore::kMass);
}

TEST_F(Layouts, ClueTasks) {
  const std::string pair = R"("sentence1": "甲", "sentence2": "乙", )";
  put("ocnli/dev.json",
      "{" + pair + R"("label": "-"})" + "\n{" + pair + R"("label": "neutral", "genre": "x"})" +
          "\n");
  const auto ocnli = open("ocnli");
  ASSERT_EQ(ocnli->size(), 1) << "rows without agreement are dropped";
  EXPECT_EQ(ocnli->item(0).id, "ocnli/ocnli/dev/1") << "and the others keep their numbers";
  EXPECT_EQ(ocnli->item(0).prompt, "语句一：“甲”\n语句二：“乙”\n请问这两句话是什么关系？\n");
  EXPECT_EQ(ocnli->item(0).continuations, (std::vector<std::string>{"蕴含", "矛盾", "无关"}));
  EXPECT_EQ(ocnli->item(0).gold, 2);
  EXPECT_EQ(open("ocnli", "oc-gen")->item(0).prompt,
            "语句一：“甲”\n语句二：“乙”\n请问这两句话是什么关系？\nA. 蕴含\n B. 矛盾\n C. 无关\n"
            "请从“A”，“B”，“C”中进行选择。\n答：");
  EXPECT_EQ(open("ocnli", "oc-gen")->item(0).answer, "C");
  put("afqmc/dev.json", "{" + pair + R"("label": "1"})");
  EXPECT_EQ(open("afqmc")->item(0).gold, 1);
  put("cluewsc/test_public.json",
      R"({"target": {"span2_index": 1, "span1_index": 0, "span1_text": "小王", "span2_text": "他"}, "idx": 0, "label": "true", "text": "小王说他来。"})");
  const ExamItem wsc = open("cluewsc")->item(0);
  EXPECT_EQ(wsc.prompt, "小王说他来。\n此处，代词“他“被用于指代“小王“吗?\n");
  EXPECT_EQ(wsc.continuations, (std::vector<std::string>{"否", "是"}));
  EXPECT_EQ(wsc.gold, 1);
  put("chid/test_public.json",
      R"({"id": 1, "candidates": ["一心一意", "三心二意"], "content": "他#idiom#地学习。", "answer": 0})");
  const ExamItem chid = open("chid")->item(0);
  EXPECT_EQ(chid.prompt + chid.continuations[1],
            "以下句子是否通顺？\n他三心二意地学习。\n这个句子是通顺的。");
}

TEST_F(Layouts, Math500) {
  put("math-500/test.jsonl",
      R"({"problem": "P?", "solution": "S \\boxed{7}", "answer": "7", "subject": "Algebra", "level": 2, "unique_id": "u"})");
  const ExamItem item = open("math-500", "official", std::nullopt, {"Algebra"})->item(0);
  EXPECT_EQ(item.prompt,
            "P?\nPlease reason step by step, and put your final answer within \\boxed{}.");
  EXPECT_EQ(item.answer, "7");
}

TEST_F(Layouts, BbhTakesItsExamplesFromTheirFile) {
  put("bbh/bbh/navigate.json", R"({"canary": "c", "examples": [{"input": "I?", "target": "No"}]})");
  ExamOptions options;
  options.suite = "bbh";
  options.data = folder_.path();
  options.subjects = {"navigate"};
  EXPECT_THROW(Exam::open(options), Error) << "the prompts are missing";
  const EmbeddedFile* file = find_embedded("datasets/bbh/dataset.yaml");
  ASSERT_NE(file, nullptr);
  const DataCard card = DataCard::parse(file->content, "bbh");
  EXPECT_EQ(card.subjects.size(), 27u);
  for (const CardSubject& subject : card.subjects) {
    put("bbh/cot-prompts/" + subject.id + ".txt", "canary\n-----\nTask.\n\nQ: a\nA: b\n");
  }
  EXPECT_EQ(Exam::open(options)->item(0).prompt,
            "Task.\n\nQ: a\nA: b\n\nQ: I?\nA: Let's think step by step.\n");
}

TEST_F(Layouts, ReadingAndQuestions) {
  put("cmrc2018/cmrc2018_dev.json",
      R"({"version": "v1", "data": [{"title": "t", "paragraphs": [{"id": "p", "context": "文章甲",)"
      R"( "qas": [{"id": "q1", "question": "问一", "answers": [{"text": "甲", "answer_start": 2},)"
      R"( {"text": "章甲", "answer_start": 1}]}]}]}]})");
  const ExamItem cmrc = open("cmrc2018")->item(0);
  EXPECT_EQ(
      cmrc.prompt,
      "根据文章回答问题。你的答案应该尽可能简练，请以 ‘答案是’ 开头的句式作答。\n文章：文章甲\n"
      "问：问一\n答：");
  EXPECT_EQ(cmrc.answer, "甲");
  EXPECT_EQ(cmrc.aliases, (std::vector<std::string>{"甲", "章甲"}));

  put("triviaqa/validation.jsonl",
      R"({"question": "Who?", "question_id": "t1", "answer": {"value": "Ann", "aliases": ["Ann", "Anne"]}})");
  const ExamItem trivia = open("triviaqa", "lm-eval")->item(0);
  EXPECT_EQ(trivia.prompt, "Question: Who??\nAnswer:");
  EXPECT_EQ(trivia.aliases, (std::vector<std::string>{"Ann", "Anne"}));

  put("drop/validation.jsonl",
      R"({"section_id": "s", "passage": "Text.", "question": "How many?", "query_id": "d1",)"
      R"( "answer": {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": ["a b", "c"]},)"
      R"( "validated_answers": {"number": ["2", ""], "date": [{"day": "", "month": "", "year": ""},)"
      R"( {"day": "3", "month": "May", "year": ""}], "spans": [[], []]}})");
  const ExamItem drop = open("drop")->item(0);
  EXPECT_EQ(drop.prompt, "Text. How many?");
  EXPECT_EQ(drop.answer, "a b\nc");
  EXPECT_EQ(drop.aliases, (std::vector<std::string>{"2", "3 May"}));

  put("lcsts/test.jsonl", R"({"content": "正文", "abst": "标题"})");
  EXPECT_EQ(open("lcsts")->item(0).prompt, "阅读以下文章，并给出简短的摘要：正文\n摘要如下：");

  put("text/b.txt", "第二篇");
  put("text/a.txt", "第一篇");
  const auto texts = open("text");
  ASSERT_EQ(texts->size(), 2);
  EXPECT_EQ(texts->item(0).prompt, "第一篇");
}

// 中国,abc in GB18030, in UTF-8, and bytes that are neither.
TEST_F(Layouts, FinanceIqIsReadUnderItsChineseFileNames) {
  put("financeiq/dev/税务师.csv", ",Question,A,B,C,D,Answer\n0,题甲,一,二,三,四,C\n");
  put("financeiq/test/税务师.csv", ",Question,A,B,C,D,Answer\n0,\"题乙，含逗号\",1,2,3,4,B\n");
  const ExamItem item = open("financeiq", "official", 1, {"tax"})->item(0);
  EXPECT_EQ(item.prompt,
            "以下是关于税务师的单项选择题，请直接给出正确答案的选项。\n\n"
            "题目：题甲\nA. 一\nB. 二\nC. 三\nD. 四\n答案是：C\n\n"
            "题目：题乙，含逗号\nA. 1\nB. 2\nC. 3\nD. 4\n答案是：");
  EXPECT_EQ(item.gold, 1);
  EXPECT_EQ(open("financeiq", "generate", 1, {"tax"})->item(0).answer, "B");
}

TEST_F(Layouts, LawBenchReadsEachTaskInItsWay) {
  put("lawbench/zero_shot/3-6.json",
      R"([{"instruction": "选出正确答案。", "question": "谁？A:甲;B:乙。", "answer": "正确答案:B。"}])");
  put("lawbench/zero_shot/3-7.json",
      R"([{"instruction": "算出金额。", "question": "多少？", "answer": "12000元"}])");
  put("lawbench/zero_shot/1-1.json",
      R"([{"instruction": "背诵。", "question": "第一条", "answer": "第一条原文"}])");
  const ExamItem choice = open("lawbench", "official", 0, {"3-6"})->item(0);
  EXPECT_EQ(choice.prompt, "选出正确答案。\n谁？A:甲;B:乙。");
  EXPECT_EQ(choice.answer, "B");
  EXPECT_EQ(choice.extract, "choice_letter");
  EXPECT_EQ(open("lawbench", "official", 0, {"3-7"})->item(0).compare, "number_equal");
  put("lawbench/zero_shot/2-3.json",
      R"([{"instruction": "分类。", "question": "离婚", "answer": "类别:准予离婚、支付抚养费。"}])");
  put("lawbench/zero_shot/3-4.json",
      R"([{"instruction": "刑期？", "question": "甲", "answer": "刑期:36个月"},
          {"instruction": "刑期？", "question": "乙", "answer": "刑期:无期徒刑"}])");
  EXPECT_EQ(open("lawbench", "official", 0, {"2-3"})->item(0).answer, "准予离婚;支付抚养费");
  const auto terms = open("lawbench", "official", 0, {"3-4"});
  EXPECT_EQ(terms->item(0).answer, "36");
  EXPECT_EQ(terms->item(1).answer, "")
      << "no term of months: unlabelled, as the repository leaves it out";
  EXPECT_EQ(terms->item(0).compare, "prison_term");
  const auto text = open("lawbench", "official", 0, {"1-1"});
  EXPECT_EQ(text->item(0).answer, "第一条原文");
  EXPECT_EQ(text->protocol().compare, "rouge_l_char");
}

TEST(Encoding, Gb18030IsToldFromUtf8) {
  EXPECT_EQ(from_gb18030("\xD6\xD0\xB9\xFA,abc"), "中国,abc");
  EXPECT_EQ(from_gb18030("\x95\x32\x82\x36"), "\xF0\xA0\x80\x80") << "four bytes, U+20000";
  EXPECT_EQ(from_gb18030("中国"), std::nullopt);
  EXPECT_EQ(from_gb18030("plain"), std::nullopt);
  EXPECT_EQ(from_gb18030("\xFF\xFF"), std::nullopt);
  EXPECT_EQ(from_gb18030("\xD6"), std::nullopt) << "cut off";
}

// Written by Python 3.11's zipfile and gzip: a.txt stored ("abc"), b/c.txt deflated (64 times
// "甲").
TEST(Archive, ZipAndGzip) {
  const auto bytes = [](std::string_view hex) {
    std::string out;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
      out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return out;
  };
  const std::string zip = bytes(
      "504b030414000000000000002100c2412435030000000300000005000000612e747874616263504b030414000000"
      "0800000021009ead4b0a08000000c000000007000000622f632e7478747b3e65d3f3a18c00504b01021403140000"
      "00000000002100c24124350300000003000000050000000000000000000000800100000000612e747874504b0102"
      "1403140000000800000021009ead4b0a08000000c0000000070000000000000000000000800126000000622f632e"
      "747874504b0506000000000200020068000000530000000000");
  const std::vector<ArchivedFile> files = read_zip(zip, "x.zip");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].path, "a.txt");
  EXPECT_EQ(files[0].content, "abc");
  EXPECT_EQ(files[1].path, "b/c.txt");
  EXPECT_EQ(files[1].content.size(), 64u * 3);
  EXPECT_TRUE(files[1].content.ends_with("甲"));
  EXPECT_THROW(
      read_zip(
          bytes("504b030414000000000000002100c24124350300000003000000080000002e2e2f612e747874616263"
                "504b0102140314000000000000002100c2412435030000000300000008000000000000000000000080"
                "01000000002e2e2f612e747874504b0506000000000100010036000000290000000000"),
          "x.zip"),
      Error)
      << "a path that leads out";
  for (size_t cut = 0; cut < zip.size(); ++cut) {
    EXPECT_THROW(read_zip(zip.substr(0, cut), "x.zip"), Error) << cut;
  }
  for (size_t at = 0; at < zip.size(); ++at) {
    std::string damaged = zip;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    try {
      read_zip(damaged, "x.zip");  // some bytes (dates) do not matter; none may crash
    } catch (const Error&) {
    }
  }
  EXPECT_EQ(unzipped(bytes("1f8b08000000000002034b4c4a0600c241243503000000"), "x.gz"), "abc");
  EXPECT_THROW(
      unzipped(bytes("1f8b08000000000002034b4c4a0600c241243503000000").substr(0, 15), "x.gz"),
      Error);
}

// What a card may not say, and what a file may not hold.
TEST_F(Layouts, WrongFilesAreNamed) {
  put("c3/c3-d-dev.json",
      R"([[["s"], [{"question": "q", "choice": ["a", "b"], "answer": "c"}], "id"]])");
  ExamOptions options;
  options.suite = "c3";
  options.data = folder_.path();
  options.subjects = {"d"};
  const auto message = [&] {
    try {
      Exam::open(options);
    } catch (const Error& error) {
      std::string text = error.what();
      const std::string root = folder_.path().string() + "/";
      for (size_t at = text.find(root); at != std::string::npos; at = text.find(root)) {
        text.erase(at, root.size());
      }
      return text;
    }
    return std::string("(no error)");
  };
  EXPECT_EQ(message(), "c3/c3-d-dev.json/0/1/0: answer: found \"c\", need one of the options");
  put("c3/c3-d-dev.json", R"([[["s"], {"question": "q"}, "id"]])");
  EXPECT_EQ(message(), "c3/c3-d-dev.json/0/1: found object, need a list");
  put("c3/c3-d-dev.json", R"([[["s"]]])");
  EXPECT_EQ(message(), "c3/c3-d-dev.json/0: 1: found nothing, need a value");
  put("c3/c3-d-dev.json", R"([[["s"], [{"question": "q", "choice": [], "answer": "c"}], "id"]])");
  EXPECT_EQ(message(), "c3/c3-d-dev.json/0/1/0: choice: found 0 options, need two or more");
}

}  // namespace
}  // namespace keju
