// SPDX-License-Identifier: MIT
// Vocabularies of ranks, with ids from tiktoken (rank_cases.py writes rank_cases.json).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/text/tokenizer_test_models.h"
#include "text/tokenizer.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Ids = std::vector<TokenId>;

Json rank_cases() { return read_json("tests/text/rank_cases.json"); }

void expect_ids(const Tokenizer& tokenizer, const Json& cases) {
  ASSERT_GT(cases.size(), 15u);
  for (const Json& test : cases) {
    const std::string text = test["text"].get<std::string>();
    const Ids ids = test["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.encode(text), ids) << test;
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
}

std::string rank_file(const Json& ranks) {
  std::string out;
  for (size_t i = 0; i < ranks.size(); ++i) {
    out += ranks[i].get<std::string>() + " " + std::to_string(i) + "\n";
  }
  return out;
}

Json glm4_config(size_t first) {
  Json added = Json::object();
  for (const char* text : {"<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<|user|>"}) {
    added[std::to_string(first++)] = {{"content", text}, {"special", true}, {"normalized", false}};
  }
  return {{"tokenizer_class", "ChatGLM4Tokenizer"},
          {"eos_token", "<|endoftext|>"},
          {"pad_token", "<|endoftext|>"},
          {"added_tokens_decoder", added}};
}

TEST(TokenizerRanks, Glm4IsKnownByItsClass) {
  const Json table = rank_cases();
  const FileFolder folder;
  folder.write("tokenizer.model", rank_file(table["ranks"]));
  const auto first = static_cast<TokenId>(table["ranks"].size());
  folder.write("tokenizer_config.json", glm4_config(table["ranks"].size()).dump());
  const auto tokenizer = tokenizer_from_path(folder.path());
  expect_ids(*tokenizer, table["glm4"]);
  EXPECT_THAT(tokenizer->special().prefix, ElementsAre(first + 2, first + 4));
  EXPECT_EQ(tokenizer->special().eos, first);
  EXPECT_EQ(tokenizer->special().pad, first);
  EXPECT_EQ(tokenizer->special().bos, std::nullopt);
  EXPECT_THAT(tokenizer->special().stops, testing::Contains(first));
  EXPECT_THAT(tokenizer->encode("[gMASK]<sop><|user|>\n", ParseSpecial::kYes),
              ElementsAre(first + 2, first + 4, first + 5, '\n'));
  EXPECT_GT(tokenizer->encode("[gMASK]").size(), 1u);
  EXPECT_EQ(tokenizer->decode({first + 2, first + 4, 'a'}), "a");
}

TEST(TokenizerRanks, Glm4NeedsItsSpecialTokens) {
  const Json table = rank_cases();
  const FileFolder folder;
  folder.write("tokenizer.model", rank_file(table["ranks"]));
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "ChatGLM4Tokenizer"})");
  Caught error = caught([&] { tokenizer_from_path(folder.path()); });
  EXPECT_EQ(error.code, Code::kInput);
  EXPECT_THAT(error.message, HasSubstr("found no \"[gMASK]\" among the added tokens"));
  folder.write("tokenizer_config.json", glm4_config(table["ranks"].size() - 1).dump());
  error = caught([&] { tokenizer_from_path(folder.path()); });
  EXPECT_EQ(error.code, Code::kInput);
  EXPECT_THAT(error.message, HasSubstr("need one spelling"));
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "OddTokenizer"})");
  error = caught([&] { tokenizer_from_path(folder.path()); });
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("tokenizer_class \"OddTokenizer\", need the ranks of qwen"));
}

}  // namespace
}  // namespace keju
