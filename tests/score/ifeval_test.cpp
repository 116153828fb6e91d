// SPDX-License-Identifier: MIT
// Cases labelled by hand from the published definitions of the instructions.
#include "score/ifeval.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "score/outcome.h"

namespace keju {
namespace {

std::string gold(const Json& ids, const Json& kwargs) {
  return Json{{"ids", ids}, {"kwargs", kwargs}}.dump();
}

TEST(Ifeval, LabelledTable) {
  std::ifstream file("tests/score/ifeval_cases.jsonl");
  std::map<std::string, int> kinds;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const Json one = parse_json(line, fmt::format("ifeval_cases.jsonl:{}", ++number));
    const std::string rules = gold(Json::array({one["id"]}), Json::array({one["kwargs"]}));
    const std::string text = one["text"].get<std::string>();
    for (const char* reading : {"strict", "loose"}) {
      const double value = instruction_value(fmt::format("ifeval_prompt_{}", reading), text, rules);
      EXPECT_EQ(value == 1, one[reading].get<bool>())
          << "line " << number << " " << reading << ": " << line;
    }
    EXPECT_EQ(undecided(rules), "") << line;
    ++kinds[one["id"].get<std::string>()];
  }
  EXPECT_EQ(kinds.size(), 21U);  // of the paper's 25; the others need a detector
  for (const auto& [kind, count] : kinds) EXPECT_GE(count, 2) << kind;
}

TEST(Ifeval, WhatNeedsADetectorIsNamedAndNotScored) {
  for (const char* id : {"language:response_language",
                         "length_constraints:number_sentences",
                         "change_case:english_capital",
                         "change_case:english_lowercase"}) {
    EXPECT_NE(undecided(gold({id}, Json::array({Json::object()}))).find(id), std::string::npos);
  }
  ExamItem item;
  item.answer = gold({"punctuation:no_comma", "language:response_language"},
                     Json::array({Json::object(), {{"language", "fr"}}}));
  Protocol protocol;
  protocol.task = Task::kGenerate;
  protocol.extract = "raw_text";
  protocol.compare = "ifeval_prompt_strict";
  Response response;
  response.what = GenerateResult{.text = "Oui, oui"};
  const auto unscored = std::get<Unscored>(score_item(item, protocol, response));
  EXPECT_EQ(unscored.reason, "ifeval language:response_language needs a language detector");
  EXPECT_FALSE(unscored.counts_as_wrong);
}

TEST(Ifeval, AnItemThatMakesNoSenseFailsAlone) {
  ExamItem item;
  item.answer = gold({"keywords:rhyme"}, Json::array({Json::object()}));
  Protocol protocol;
  protocol.task = Task::kGenerate;
  protocol.extract = "raw_text";
  protocol.compare = "ifeval_prompt_strict";
  Response response;
  response.what = GenerateResult{.text = "a"};
  EXPECT_EQ(std::get<Failed>(score_item(item, protocol, response)).error,
            "ifeval: unknown instruction \"keywords:rhyme\"");
}

TEST(Ifeval, PromptAndInstructionLevel) {
  const std::string rules =
      gold({"punctuation:no_comma", "startend:quotation", "detectable_format:title"},
           Json::array({Json::object(), Json::object(), Json::object()}));
  const std::string text =
      "Sure\n\"<<T>>, \"";  // a comma; no quotation marks around, unless loosely
  EXPECT_EQ(instruction_value("ifeval_prompt_strict", text, rules), 0);
  EXPECT_DOUBLE_EQ(instruction_value("ifeval_instruction_strict", text, rules), 1.0 / 3);
  EXPECT_DOUBLE_EQ(instruction_value("ifeval_instruction_loose", text, rules), 1);
  EXPECT_EQ(instruction_value("ifeval_prompt_loose", text, rules), 1);
}

TEST(Ifeval, WrongDataIsRefused) {
  EXPECT_THROW(undecided(gold({"keywords:rhyme"}, Json::array({Json::object()}))), Error);
  EXPECT_THROW(undecided(gold({"punctuation:no_comma"}, Json::array())), Error);
  EXPECT_THROW(undecided("{}"), Error);
  const std::string lacking = gold({"keywords:existence"}, Json::array({Json::object()}));
  EXPECT_THROW(instruction_value("ifeval_prompt_strict", "a", lacking), Error);
  const std::string pattern =
      gold({"keywords:existence"}, Json::array({{{"keywords", {"(open"}}}}));
  EXPECT_THROW(instruction_value("ifeval_prompt_strict", "a", pattern), Error);
}

}  // namespace
}  // namespace keju
