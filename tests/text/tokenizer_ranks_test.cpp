// SPDX-License-Identifier: MIT
// Vocabularies of ranks, with ids from tiktoken (rank_cases.py writes rank_cases.json).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

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

Json tekken_file(const Json& table) {
  const Json& tekken = table["tekken"];
  Json vocab = Json::array();
  for (const Json& token : table["ranks"]) {
    vocab.push_back({{"rank", vocab.size()}, {"token_bytes", token}, {"token_str", nullptr}});
  }
  const auto specials = tekken["specials"].get<int>();
  return {{"config",
           {{"pattern", tekken["pattern"]},
            {"num_vocab_tokens", vocab.size()},
            {"default_vocab_size", tekken["used"].get<int>() + specials},
            {"default_num_special_tokens", specials},
            {"version", "v3"}}},
          {"vocab", vocab}};
}

TEST(TokenizerRanks, TekkenSaysItsPatternAndItsSpecialTokens) {
  const Json table = rank_cases();
  const FileFolder folder;
  Json file = tekken_file(table);
  folder.write("tekken.json", file.dump());
  const auto old = tokenizer_from_path(folder.path());
  expect_ids(*old, table["tekken"]["cases"]);
  EXPECT_EQ(old->vocab_size(), 430);
  EXPECT_THAT(old->special().prefix, ElementsAre(1));
  EXPECT_EQ(old->special().eos, 2);
  EXPECT_EQ(old->special().pad, 11);
  EXPECT_THAT(old->special().stops, testing::Contains(2));
  EXPECT_THAT(old->encode("<s>[INST]a[/INST]<SPECIAL_29>", ParseSpecial::kYes),
              ElementsAre(1, 3, 30 + 'a', 4, 29));
  EXPECT_EQ(old->decode({1, 3, 30 + 'a', 2}), "a");

  file["config"]["version"] = "v11";
  file["special_tokens"] = Json::array();
  for (const char* text : {"<unk>", "<s>", "</s>", "[THINK]"}) {
    file["special_tokens"].push_back(
        {{"rank", file["special_tokens"].size()}, {"token_str", text}, {"is_control", true}});
  }
  const auto named = tokenizer_from_path(folder.write("tekken_2.json", file.dump()));
  expect_ids(*named, table["tekken"]["cases"]);
  EXPECT_THAT(named->encode("[THINK]<SPECIAL_4>", ParseSpecial::kYes), ElementsAre(3, 4));
  EXPECT_EQ(named->special().pad, std::nullopt);
  EXPECT_NE(named->digest(), old->digest());
}

TEST(TokenizerRanks, TekkenFilesThatContradictThemselvesAreRefused) {
  const FileFolder folder;
  const Json whole = tekken_file(rank_cases());
  const auto refused = [&](const std::function<void(Json&)>& change) {
    Json file = whole;
    change(file);
    const Caught error =
        caught([&] { tokenizer_from_path(folder.write("tekken.json", file.dump())); });
    EXPECT_EQ(error.code, Code::kInput);
    return error.message;
  };
  EXPECT_THAT(refused([](Json& f) { f["config"]["default_vocab_size"] = 471; }),
              HasSubstr("found default_vocab_size 471 with 30 special tokens, need up to 440"));
  EXPECT_THAT(refused([](Json& f) { f["config"]["default_num_special_tokens"] = 19; }),
              HasSubstr("special_tokens: found 20, need at most 19"));
  EXPECT_THAT(refused([](Json& f) { f["vocab"][300]["rank"] = 7; }),
              HasSubstr("vocab[300]: rank: found 7, need 300"));
  EXPECT_THAT(refused([](Json& f) { f["vocab"][65]["token_bytes"] = "Qg=="; }),
              HasSubstr("vocab[65]: token_bytes: found 1 bytes, need the byte 65"));
  EXPECT_THAT(refused([](Json& f) { f["config"]["version"] = "v11"; }),
              HasSubstr("special_tokens: found none"));
  EXPECT_THAT(refused([](Json& f) { f.erase("vocab"); }), HasSubstr("vocab"));
}

}  // namespace
}  // namespace keju
