// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "score/choice.h"
#include "score/compare.h"
#include "score/numbers.h"
#include "score/outcome.h"
#include "suite/rules.h"

namespace keju {
namespace {

// Options of two and four letters; the second is Chinese, so that characters are not bytes.
ExamItem item() {
  ExamItem item;
  item.options = {"ab", "长城长城", "abcd"};
  item.continuations = {" ab", " 长城长城", " abcd"};
  item.gold = 1;
  return item;
}

Response response(std::vector<double> logprobs) {
  ScoreResult result;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    ContinuationScore score;
    score.logprob = logprobs[i];
    score.ids.resize(i + 1);
    score.whole_logprob = -100 - 10.0 * static_cast<double>(i);
    score.whole_tokens = 10 + 5 * static_cast<int64_t>(i);
    result.continuations.push_back(score);
  }
  Response response;
  response.what = result;
  return response;
}

Protocol protocol(ChoiceScore score) {
  Protocol protocol;
  protocol.score = score;
  return protocol;
}

Scored scored(const Outcome& outcome) {
  EXPECT_TRUE(std::holds_alternative<Scored>(outcome));
  return std::holds_alternative<Scored>(outcome) ? std::get<Scored>(outcome) : Scored();
}

TEST(Choices, EachRuleDividesByItsOwnLength) {
  const Response answer = response({-4, -6, -7});
  const auto of = [&](ChoiceScore rule) {
    return scored(score_item(item(), protocol(rule), answer));
  };
  EXPECT_EQ(of(ChoiceScore::kSum).choice, 0);
  EXPECT_EQ(of(ChoiceScore::kSum).option_scores, (std::vector<double>{-4, -6, -7}));
  // 2, 4 and 4 characters.
  EXPECT_EQ(of(ChoiceScore::kPerChar).option_scores, (std::vector<double>{-2, -1.5, -1.75}));
  EXPECT_EQ(of(ChoiceScore::kPerChar).choice, 1);
  EXPECT_EQ(of(ChoiceScore::kPerChar).value, 1);
  // 2, 12 and 4 bytes.
  EXPECT_EQ(of(ChoiceScore::kPerByte).option_scores, (std::vector<double>{-2, -0.5, -1.75}));
  // 1, 2 and 3 tokens.
  EXPECT_EQ(of(ChoiceScore::kPerToken).option_scores, (std::vector<double>{-4, -3, -7.0 / 3}));
  EXPECT_EQ(of(ChoiceScore::kPerToken).choice, 2);
  // -100/10, -110/15, -120/20.
  EXPECT_EQ(of(ChoiceScore::kWholeMean).choice, 2);
  EXPECT_DOUBLE_EQ(of(ChoiceScore::kWholeMean).option_scores[2], -6);
}

// S7: what the option gains by the question. The last three are scores without it.
TEST(Choices, PmiTakesTheUnconditionalScoreOff) {
  const Response answer = response({-4, -6, -7, -1, -5, -5});
  const Scored got = scored(score_item(item(), protocol(ChoiceScore::kPmi), answer));
  EXPECT_EQ(got.option_scores, (std::vector<double>{-3, -1, -2}));
  EXPECT_EQ(got.choice, 1);
  // The other rules read the first three.
  EXPECT_EQ(scored(score_item(item(), protocol(ChoiceScore::kSum), answer)).option_scores,
            (std::vector<double>{-4, -6, -7}));
  EXPECT_THROW(score_item(item(), protocol(ChoiceScore::kPmi), response({-4, -6, -7})), Error);
}

// Partial evaluation: of each whole text only the tokens behind those of its context count.
TEST(Choices, OwnContextsAreNotScored) {
  ExamItem blank;
  blank.options = {"a", "b"};
  blank.continuations = {" Ann", " Barbara", " Ann left", " Barbara left"};
  blank.gold = 0;
  ScoreResult result;
  result.continuations.resize(4);
  result.continuations[0].ids = {1};
  result.continuations[1].ids = {2, 3};
  result.continuations[2].ids = {1, 9};
  result.continuations[2].token_logprobs = {-8, -0.5};
  result.continuations[3].ids = {2, 3, 9};
  result.continuations[3].token_logprobs = {-0.25, -0.25, -1.5};
  Response answer;
  answer.what = result;
  const Scored got = scored(score_item(blank, protocol(ChoiceScore::kSum), answer));
  EXPECT_EQ(got.option_scores, (std::vector<double>{-0.5, -1.5}));
  EXPECT_EQ(got.value, 1);
}

TEST(Choices, MassIsTheRightOptionsShare) {
  ExamItem several = item();
  several.golds = {1, 2};
  const Scored mass =
      scored(score_item(several, protocol(ChoiceScore::kMass), response({-4, -6, -7})));
  const double right = std::exp(-6) + std::exp(-7);
  EXPECT_NEAR(mass.value, right / (right + std::exp(-4)), 1e-15);
  EXPECT_EQ(mass.choice, 0);
  // Sentences whose probabilities a double cannot hold.
  const Scored tiny =
      scored(score_item(several, protocol(ChoiceScore::kMass), response({-2000, -2000, -3000})));
  EXPECT_NEAR(tiny.value, 0.5, 1e-15);
  // Any of the right ones is right.
  EXPECT_EQ(scored(score_item(several, protocol(ChoiceScore::kSum), response({-9, -8, -7}))).value,
            1);
}

TEST(Choices, AlsoHoldsTheOtherRulesInTheirOrder) {
  Protocol rules = protocol(ChoiceScore::kSum);
  rules.also = {ChoiceScore::kPerToken, ChoiceScore::kPerByte};
  const Scored got = scored(score_item(item(), rules, response({-4, -6, -7})));
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.also, (std::vector<double>{0, 1}));
}

TEST(Choices, TiesGoToTheFirstAndAreFlagged) {
  const Scored tied =
      scored(score_item(item(), protocol(ChoiceScore::kSum), response({-7, -6, -6})));
  EXPECT_EQ(tied.choice, 1);
  EXPECT_TRUE(tied.tie);
  EXPECT_FALSE(scored(score_item(item(), protocol(ChoiceScore::kSum), response({-7, -7, -6}))).tie);
  EXPECT_FALSE(scored(score_item(item(), protocol(ChoiceScore::kSum), response({-6, -6, -5}))).tie);
}

TEST(Choices, NoLabelIsNeverZero) {
  ExamItem unlabelled = item();
  unlabelled.gold = -1;
  const Outcome outcome =
      score_item(unlabelled, protocol(ChoiceScore::kSum), response({-4, -6, -7}));
  ASSERT_TRUE(std::holds_alternative<Unscored>(outcome));
  EXPECT_EQ(std::get<Unscored>(outcome).reason, "no label");
  EXPECT_FALSE(std::get<Unscored>(outcome).counts_as_wrong);
  std::string why;
  const auto choice = choose(
      unlabelled, std::get<ScoreResult>(response({-4, -3, -7}).what), ChoiceScore::kSum, why);
  EXPECT_EQ(choice->index, 1) << "a submission wants the choice all the same";
}

TEST(Choices, NumbersThatAreNoneFail) {
  for (const double bad : {std::nan(""), -std::numeric_limits<double>::infinity()}) {
    const Outcome outcome =
        score_item(item(), protocol(ChoiceScore::kSum), response({-4, bad, -7}));
    ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
    EXPECT_EQ(std::get<Failed>(outcome).error, "option 1: the log-likelihood is not finite");
  }
  Response failed;
  failed.error = "out of memory";
  EXPECT_EQ(std::get<Failed>(score_item(item(), protocol(ChoiceScore::kSum), failed)).error,
            "out of memory");
  Response tokenless = response({-4, -6, -7});
  std::get<ScoreResult>(tokenless.what).continuations[0].ids.clear();
  EXPECT_TRUE(std::holds_alternative<Failed>(
      score_item(item(), protocol(ChoiceScore::kPerToken), tokenless)));
}

TEST(Choices, AnotherItemsResponseIsOurMistake) {
  EXPECT_THROW(score_item(item(), protocol(ChoiceScore::kSum), response({-4, -6})), Error);
  Response text;
  text.what = GenerateResult();
  EXPECT_THROW(score_item(item(), protocol(ChoiceScore::kSum), text), Error);
}

TEST(Perplexity, BitsPerByte) {
  ExamItem text;
  text.prompt = "长城ab";  // eight bytes
  Protocol rules;
  rules.task = Task::kPerplexity;
  Response answer;
  answer.what = RollingResult{-16 * std::numbers::ln2, 5};
  const Scored got = scored(score_item(text, rules, answer));
  EXPECT_DOUBLE_EQ(got.value, 2);
  EXPECT_EQ(got.weight, 8);
  answer.what = RollingResult{std::nan(""), 5};
  EXPECT_TRUE(std::holds_alternative<Failed>(score_item(text, rules, answer)));
}

Response generated(const std::string& text) {
  GenerateResult result;
  result.text = text;
  Response response;
  response.what = result;
  return response;
}

TEST(Generation, ExtractsComparesAndKeepsTheOtherRules) {
  ExamItem sum;
  sum.answer = "1,200";
  Protocol rules;
  rules.task = Task::kGenerate;
  rules.extract = "gsm8k_flexible";
  rules.also_extract = {"gsm8k_strict"};
  rules.compare = "lm_eval_exact";
  Scored got = scored(score_item(sum, rules, generated("It is $1,200.")));
  EXPECT_EQ(got.value, 1);
  EXPECT_EQ(got.extracted, "$1,200.");
  EXPECT_EQ(got.also, std::vector<double>{0});
  got = scored(score_item(sum, rules, generated("#### 1200\nand 5 more")));
  EXPECT_EQ(got.value, 0);
  EXPECT_EQ(got.also, std::vector<double>{1});
}

TEST(Generation, UnreadAnswersAreWrongAndSaySo) {
  ExamItem letter;
  letter.answer = "B";
  letter.options = {"A", "B", "C", "D"};
  Protocol rules;
  rules.task = Task::kGenerate;
  rules.extract = "choice_letter";
  rules.compare = "letter_equal";
  const Scored right = scored(score_item(letter, rules, generated("答案是B。")));
  EXPECT_EQ(right.value, 1);
  EXPECT_EQ(right.choice, 1);
  const auto none = std::get<Unscored>(score_item(letter, rules, generated("不知道")));
  EXPECT_EQ(none.reason, "no answer extracted");
  EXPECT_TRUE(none.counts_as_wrong);
  const auto both = std::get<Unscored>(score_item(letter, rules, generated("A或B")));
  EXPECT_EQ(both.reason, "ambiguous answer");
  EXPECT_TRUE(both.counts_as_wrong);
  letter.answer = "";
  EXPECT_FALSE(std::get<Unscored>(score_item(letter, rules, generated("B"))).counts_as_wrong);
}

TEST(Compare, Rules) {
  const auto match = [](const char* rule, const char* answer, const char* gold) {
    return answers_match(rule, answer, gold);
  };
  EXPECT_TRUE(match("number_equal", "1,234", "1234"));
  EXPECT_TRUE(match("number_equal", "3万", "30000"));
  EXPECT_TRUE(match("number_equal", "12%", "12"));
  EXPECT_TRUE(match("number_equal", "0.75", "3/4"));
  EXPECT_TRUE(match("number_equal", "0.333333333333333", "1/3"));
  EXPECT_FALSE(match("number_equal", "0.33", "1/3"));
  EXPECT_TRUE(match("number_equal", "12元", "12"));
  EXPECT_TRUE(match("number_equal", "１２", "12.0"));
  EXPECT_FALSE(match("number_equal", "12 and 13", "12"));
  EXPECT_FALSE(match("number_equal", "", ""));
  EXPECT_FALSE(match("number_equal", "10000000000000001", "10000000000000002"));
  EXPECT_TRUE(match("letter_equal", "b", "B"));
  EXPECT_FALSE(match("letter_equal", "B", "C"));
  EXPECT_TRUE(match("text_equal", " **Rome**. ", "rome"));
  EXPECT_TRUE(match("text_equal", "《红楼梦》", "红楼梦"));
  EXPECT_FALSE(match("text_equal", "Rome, Italy", "Rome"));
  EXPECT_TRUE(match("answer_equal", "24个", "24"));
  EXPECT_TRUE(match("answer_equal", "Ｈ2Ｏ", "H2O"));
  EXPECT_FALSE(match("answer_equal", "25", "24"));
  EXPECT_TRUE(answers_match("answer_equal", "Roma", "Rome", {"Roma"}));
  EXPECT_TRUE(match("lm_eval_exact", "$1,200.", "1200"));
  EXPECT_FALSE(match("lm_eval_exact", "1200.00", "1200"));
  EXPECT_TRUE(match("opencompass_number", "18.0", "18"));
  EXPECT_TRUE(match("opencompass_number", "1200", "1,200"));
  EXPECT_FALSE(match("opencompass_number", "200", "1,200"));
}

// The table of the data set's own match_digits and string2num.
TEST(Compare, Cmath) {
  const auto match = [](const char* answer, const char* gold) {
    return answers_match("cmath", answer, gold);
  };
  EXPECT_TRUE(match("3 | 9", "9"));
  EXPECT_TRUE(match("9 | 3", "9"));
  EXPECT_FALSE(match("99", "9"));
  EXPECT_FALSE(match("1000", "1001")) << "integers exactly";
  EXPECT_TRUE(match("1000.0", "1001")) << "within one per cent otherwise";
  EXPECT_FALSE(match("1000.0", "1020"));
  EXPECT_TRUE(match("25%", "0.25"));
  EXPECT_TRUE(match("1/3", "2/6"));
  EXPECT_TRUE(match("12.", "12"));
  EXPECT_FALSE(match("1/0", "5"));
}

// Worked by hand.
TEST(Compare, SharesOfATextByCharacters) {
  // 今天天气好 / 今天天气很好: common subsequence 5 of 5 and 6; four bigrams against five, three
  // common.
  EXPECT_DOUBLE_EQ(grade("rouge_l_char", "今天天气好", "今天天气很好"), 2.0 * 5 / (5 + 6));
  EXPECT_DOUBLE_EQ(grade("rouge_1_char", "今天天气好", "今天天气很好"), 2.0 * 5 / (5 + 6));
  EXPECT_DOUBLE_EQ(grade("rouge_2_char", "今天天气好", "今天天气很好"), 2.0 * 3 / (4 + 5));
  // Counts are clipped: three 天 against two.
  EXPECT_DOUBLE_EQ(grade("rouge_1_char", "天天天", "天天"), 2.0 * 2 / (3 + 2));
  EXPECT_DOUBLE_EQ(grade("rouge_1_char", "甲 乙", "甲乙"), 1);
  EXPECT_DOUBLE_EQ(grade("rouge_l_char", "", "甲"), 0);
  // Precisions 2/2, (1+1)/(1+1), (0+1)/(0+1) twice; half as long as the reference.
  EXPECT_NEAR(grade("bleu_char", "甲乙", "甲乙丙丁"), std::exp(1 - 2.0), 1e-12);
  EXPECT_DOUBLE_EQ(grade("bleu_char", "甲乙丙丁", "甲乙丙丁"), 1);
  EXPECT_DOUBLE_EQ(grade("bleu_char", "戊", "甲乙"), 0);
}

TEST(Compare, ReadingComprehension) {
  EXPECT_EQ(grade("squad_exact", "The  Norman conquest.", "norman Conquest"), 1);
  EXPECT_DOUBLE_EQ(grade("squad_f1", "the big cat", "a cat sat"), 2.0 * 1 / (2 + 2));
  EXPECT_EQ(grade("cmrc_exact", "《红楼梦》。", "红楼梦"), 1);
  EXPECT_EQ(grade("cmrc_exact", "红楼梦……", "红楼梦"), 0) << "ellipses survive in the script";
  // The longest run common to both is 于1998年 (two tokens and 1998): 于, 1998, 年.
  EXPECT_DOUBLE_EQ(grade("cmrc_f1", "成立于1998年", "始建于1998年"), 2.0 * 3 / (5 + 5));
  EXPECT_DOUBLE_EQ(grade("squad_f1", "x", "y", {"z", "x"}), 1) << "the best of the accepted";
  EXPECT_EQ(grade("drop_exact", "the 2.0 yards", "2 yards"), 1);
  EXPECT_EQ(grade("drop_f1", "3 yards", "2 yards"), 0) << "another number";
  EXPECT_DOUBLE_EQ(grade("drop_f1", "red fox", "red fox\nblue hen"), 0.5);
}

TEST(Compare, Letters) {
  EXPECT_EQ(grade("letters_equal", "DB", "BD"), 1);
  EXPECT_EQ(grade("letters_equal", "B", "BD"), 0);
  EXPECT_DOUBLE_EQ(grade("gaokao_multi", "B", "BD"), 0.5);
  EXPECT_DOUBLE_EQ(grade("gaokao_multi", "BC", "BD"), 0);
  EXPECT_DOUBLE_EQ(grade("gaokao_each", "ABCDE", "ABCED"), 0.6);
  EXPECT_DOUBLE_EQ(grade("gaokao_each", "ABCD", "ABCED"), 0);
  EXPECT_DOUBLE_EQ(grade("gaokao_questions", "AB|AB", "AC"), 0.5);
  EXPECT_DOUBLE_EQ(grade("gaokao_questions", "A|AC", "AC"), 1) << "the second reading";
}

// Pairs of MATH's own test of its normal form.
TEST(Compare, MathForm) {
  for (const auto& [a, b] : {std::pair{"\\frac12", "\\frac{1}{2}"},
                             {"0.5", "\\dfrac{1}{2}"},
                             {"3/4", "\\tfrac{3}{4}"},
                             {"x = 5", "5"},
                             {"\\sqrt3", "\\sqrt{3}"},
                             {"\\left(1, 2\\right)", "(1,2)"},
                             {"90^\\circ", "90"},
                             {".25", "0.25"},
                             {"10\\%", "10"}}) {
    EXPECT_EQ(grade("math_equal", a, b), 1) << a << " and " << b;
  }
  EXPECT_EQ(grade("math_equal", "\\frac{1}{3}", "\\frac{1}{2}"), 0);
}

TEST(Compare, EveryNamedRuleIsThere) {
  for (const std::string& rule : compare_rules()) {
    if (rule == "python_tests" || rule.starts_with("ifeval_")) {  // see code_tests and ifeval tests
      EXPECT_THROW(answers_match(rule, "1", "1"), Error) << rule;
      continue;
    }
    const bool term = rule == "prison_term";
    const char* one = rule == "letters_equal" ? "A" : term ? "1个月" : "1";
    const char* other = rule == "letters_equal" ? "B" : term ? "2个月" : "2";
    EXPECT_NO_THROW(answers_match(rule, one, one)) << rule;
    EXPECT_TRUE(answers_match(rule, one, one)) << rule;
    EXPECT_FALSE(answers_match(rule, one, other)) << rule;
  }
  EXPECT_THROW(answers_match("equal", "1", "1"), Error);
}

// LawBench's metrics, worked out by hand from its evaluation functions.
TEST(Compare, LawBench) {
  EXPECT_EQ(grade("labels_alone\n利息\n违约", "双方争议的是利息。", "利息"), 1);
  EXPECT_EQ(grade("labels_alone\n利息\n违约", "利息和违约", "利息"), 0);
  EXPECT_EQ(grade("labels_alone\n利息\n违约", "本金", "利息"), 0);
  // Two said, three meant, one in both: 2·1 / (2 + 3).
  EXPECT_DOUBLE_EQ(grade("labels_f1\n盗窃\n诈骗\n抢劫\n放火", "盗窃罪和放火罪", "盗窃;诈骗;抢劫"),
                   0.4);
  EXPECT_EQ(grade("labels_f1\n盗窃\n诈骗", "无罪", "盗窃"), 0);
  EXPECT_EQ(grade("law_articles_f1", "刑法第264条、第67条", "264、67"), 1);
  EXPECT_EQ(grade("law_articles_f1", "第二百六十四条、第六十七条", "264、67"), 1);
  EXPECT_DOUBLE_EQ(grade("law_articles_f1", "第一百三十三条", "133、67"), 2.0 / 3);
  // What reads 第…款 goes, with the article in it; and of 3万元 no number is left but the 3.
  EXPECT_EQ(grade("law_articles_f1", "第264条第1款", "264"), 0);
  EXPECT_EQ(grade("law_articles_f1", "罚金3万元", "3"), 1);
  // 2 of 5 characters against 2 of 2; marks and case do not count.
  EXPECT_DOUBLE_EQ(grade("cjrc_f1", "盗窃了手机。", "手机"), 4.0 / 7);
  EXPECT_EQ(grade("cjrc_f1", "Abc①", "a B C ①！"), 1);
  EXPECT_EQ(grade("cjrc_f1", "。", "！"), 1);
  EXPECT_EQ(grade("cjrc_f1", "", "是"), 0);
  // 1 and 2/3 over two spans and over three: P = 5/6, R = 5/9.
  EXPECT_NEAR(grade("cjrc_spans_f1", "打;骂人", "打;骂;偷"), 2.0 / 3, 1e-9);
  EXPECT_NEAR(grade("cjrc_spans_f1", "骂;打", "打;骂"), 0, 1e-9);  // place by place
  const std::string entities = "entities_f1\n犯罪嫌疑人\n受害人\n时间\n地点";
  const std::string gold = "犯罪嫌疑人:张三;地点:家中";
  EXPECT_NEAR(
      grade(entities, "犯罪嫌疑人：张三\n受害人:李四 等\n时间：未提及。\n", gold), 0.4, 1e-9);
  EXPECT_NEAR(grade(entities, "犯罪嫌疑人：王五，犯罪嫌疑人: 张三\n地点:家中", gold), 1, 1e-9);
  EXPECT_EQ(grade(entities, "没有任何信息", ""), 1);
  EXPECT_EQ(grade(entities, "地点：学校门口", ""), 0);
  EXPECT_EQ(grade(entities, "地点：家", "地点:家"),
            0);  // too near the end, as the repository has it
  EXPECT_EQ(grade("prison_term", "判处有期徒刑36个月", "36"), 1);
  EXPECT_EQ(grade("prison_term", "判处有期徒刑三年", "36"), 1);
  // Months go before years, which are not added.
  EXPECT_DOUBLE_EQ(grade("prison_term", "三年六个月", "42"),
                   1 - (std::log(43.0) - std::log(7.0)) / std::log(216.0));
  EXPECT_EQ(grade("prison_term", "无期徒刑", "36"), 0);
}

TEST(Numbers, PlainDecimals) {
  EXPECT_EQ(canonical_decimal("-0.0"), "0");
  EXPECT_EQ(canonical_decimal("007.500"), "7.5");
  EXPECT_EQ(canonical_decimal(".5"), "0.5");
  EXPECT_EQ(plain_decimal(1.0 / 3), "0.333333333333333");
  EXPECT_EQ(plain_decimal(1e21), "1000000000000000000000");
  EXPECT_EQ(plain_decimal(1e-7), "0.0000001");
}

}  // namespace
}  // namespace keju
