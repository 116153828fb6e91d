// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "tests/text/tokenizer_test_models.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Characters a, b, c, "▁", "ab" and the unknown piece; no bytes.
Json small_json() {
  return parse_json(R"({"added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null, "model": {"type": "BPE", "unk_token": "<unk>",
    "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "▁": 4, "ab": 5, " ": 6}, "merges": ["a b"]}})",
                    "test");
}

Json step(const char* text) { return parse_json(text, "test"); }

std::unique_ptr<Tokenizer> load(const Json& json) {
  const FileFolder folder;
  return tokenizer_from_path(folder.write("tokenizer.json", json.dump()));
}

Caught refusal(const Json& json) {
  return caught([&] { load(json); });
}

TEST(TokenizerJson, CharactersAndUnknowns) {
  Json json = small_json();
  EXPECT_THAT(load(json)->encode("abcxyab"), ElementsAre(5, 3, 0, 0, 5));
  json["model"]["fuse_unk"] = true;
  EXPECT_THAT(load(json)->encode("abcxyab"), ElementsAre(5, 3, 0, 5));
  json["model"]["unk_token"] = nullptr;
  EXPECT_THAT(load(json)->encode("axb"), ElementsAre(5));  // dropped, and the rest joins
}

// Falcon cuts what ByteLevel made of the text: a byte's stand-in may be a number. Parts by Hugging
// Face tokenizers 0.23.3 ("顾炎" falls into the bytes E9 A1, BE and E7 82 8E).
TEST(TokenizerJson, StepsBehindByteLevelSeeStandIns) {
  const std::string text = "顾炎 123";
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocab[stand_ins_from_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  const auto bytes = [](const char* raw) { return stand_ins_from_bytes(raw); };
  vocab[bytes("\xE9\xA1")] = 256;
  vocab[bytes("\xE9\xA1\xBE")] = 257;  // never: the third byte stands alone
  vocab[bytes("\xE7\x82")] = 258;
  vocab[bytes("12")] = 259;
  Json json = small_json();
  json["model"] = {{"type", "BPE"},
                   {"vocab", vocab},
                   {"merges",
                    {bytes("\xE9") + " " + bytes("\xA1"),
                     bytes("\xE9\xA1") + " " + bytes("\xBE"),
                     bytes("\xE7") + " " + bytes("\x82"),
                     "1 2"}}};
  json["pre_tokenizer"] = step(R"({"type": "Sequence", "pretokenizers": [
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
      {"type": "Digits", "individual_digits": false}]})");
  json["decoder"] = step(R"({"type": "ByteLevel"})");
  const auto tokenizer = load(json);
  const std::vector<TokenId> ids = tokenizer->encode(text);
  EXPECT_THAT(ids, ElementsAre(256, 0xBE, 258, 0x8E, ' ', 259, '3'));
  EXPECT_EQ(tokenizer->decode(ids), text);
  json["pre_tokenizer"]["pretokenizers"].push_back(step(R"({"type": "ByteLevel"})"));
  EXPECT_EQ(refusal(json).code, Code::kUnsupported);
}

// An added token is no piece of the model: the character that it spells stays unknown elsewhere.
TEST(TokenizerJson, AddedTokensAreNoPieces) {
  Json json = small_json();
  json["added_tokens"] = step(R"([{"id": 7, "content": "z", "single_word": true}])");
  EXPECT_THAT(load(json)->encode("z"), ElementsAre(7));
  EXPECT_THAT(load(json)->encode("az"), ElementsAre(1, 0));
}

TEST(TokenizerJson, MetaspaceAtTheFrontOnly) {
  Json json = small_json();
  json["pre_tokenizer"] = step(
      R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true})");
  json["decoder"] = step(
      R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": true})");
  json["added_tokens"] = step(R"([{"id": 7, "content": "<x>", "special": true}])");
  const auto tokenizer = load(json);
  EXPECT_THAT(tokenizer->encode("a<x>a b", ParseSpecial::kYes), ElementsAre(4, 1, 7, 1, 4, 2));
  EXPECT_EQ(tokenizer->decode({4, 1, 7, 4, 1}), "a a");
}

TEST(TokenizerJson, AddedTokensTakeWhitespaceAndWholeWords) {
  Json json = small_json();
  json["added_tokens"] =
      step(R"([{"id": 7, "content": "<x>", "special": true, "lstrip": true, "rstrip": true},
    {"id": 8, "content": "cc", "single_word": true}, {"id": 9, "content": "AB", "normalized": true}])");
  json["normalizer"] = step(R"({"type": "Lowercase"})");
  const auto tokenizer = load(json);
  EXPECT_THAT(tokenizer->encode("a  <x> \n b", ParseSpecial::kYes), ElementsAre(1, 7, 2));
  EXPECT_THAT(tokenizer->encode("cc"), ElementsAre(8));
  EXPECT_THAT(tokenizer->encode("acc"), ElementsAre(1, 3, 3));
  EXPECT_THAT(tokenizer->encode("AbC"), ElementsAre(9, 3));
}

TEST(TokenizerJson, NormalizersInSequence) {
  Json json = small_json();
  json["normalizer"] =
      step(R"({"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"},
    {"type": "Lowercase"}, {"type": "Strip", "strip_left": true, "strip_right": true},
    {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Replace",
    "pattern": {"String": " "}, "content": "▁"}, {"type": "Prepend", "prepend": "c"}]})");
  EXPECT_THAT(load(json)->encode(" \u00C1 \tＢ "), ElementsAre(3, 1, 4, 2));
}

TEST(TokenizerJson, PrefixComesFromTheTemplate) {
  Json json = small_json();
  json["added_tokens"] = step(R"([{"id": 7, "content": "<bos>", "special": true}])");
  json["post_processor"] = step(R"({"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [], "special_tokens": {"<bos>": {"id": "<bos>", "ids": [7], "tokens": ["<bos>"]}}})");
  EXPECT_THAT(load(json)->special().prefix, ElementsAre(7));
}

TEST(TokenizerJson, FilesBesideItNameTheSpecials) {
  const FileFolder folder;
  Json json = small_json();
  json["added_tokens"] = step(
      R"([{"id": 7, "content": "<s>", "special": true}, {"id": 8, "content": "<|im_end|>", "special": true}])");
  folder.write("tokenizer.json", json.dump());
  folder.write("tokenizer_config.json",
               R"({"bos_token": {"content": "<s>"}, "eos_token": "c", "pad_token": null,
      "add_bos_token": true, "model_max_length": 1000000000000000019884624838656,
      "chat_template": "{{ 12345678901234567890123 }}", "tokenizer_class": "LlamaTokenizerFast"})");
  folder.write("generation_config.json", R"({"eos_token_id": [3, 1]})");
  const auto tokenizer = tokenizer_from_path(folder.path());
  EXPECT_EQ(tokenizer->special().bos, 7);
  EXPECT_EQ(tokenizer->special().eos, 3);
  EXPECT_EQ(tokenizer->special().unk, 0);
  EXPECT_EQ(tokenizer->special().pad, std::nullopt);
  EXPECT_THAT(tokenizer->special().stops, ElementsAre(1, 3, 8));
  EXPECT_THAT(tokenizer->special().prefix, ElementsAre(7));
  folder.write("generation_config.json", R"({"eos_token_id": 99})");
  EXPECT_THAT(caught([&] { tokenizer_from_path(folder.path()); }).message,
              HasSubstr("eos_token_id: found 99, need an id of the vocabulary"));
}

TEST(TokenizerJson, RefusesUnknownStepsByName) {
  for (const char* part : {"normalizer", "pre_tokenizer", "decoder", "post_processor"}) {
    Json json = small_json();
    json[part] = step(R"({"type": "Mystery"})");
    const Caught error = refusal(json);
    EXPECT_EQ(error.code, Code::kUnsupported);
    EXPECT_THAT(error.message, HasSubstr(std::string(part) + ": type: found \"Mystery\", need"));
  }
  Json json = small_json();
  json["model"]["type"] = "WordPiece";
  EXPECT_THAT(refusal(json).message, HasSubstr("model: found \"WordPiece\", need BPE, or Unigram"));
  json["model"]["type"] = "BPE";
  json["model"]["dropout"] = 0.1;
  EXPECT_THAT(refusal(json).message, HasSubstr("model: dropout: found 0.1, need none"));
  json = small_json();
  json["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_THAT(refusal(json).message, HasSubstr("end_of_word_suffix: found \"</w>\", need none"));
}

TEST(TokenizerJson, RefusesContentThatDoesNotFit) {
  const auto message = [](const std::function<void(Json&)>& change) {
    Json json = small_json();
    change(json);
    const Caught error = refusal(json);
    EXPECT_EQ(error.code, Code::kInput);
    return error.message;
  };
  EXPECT_THAT(message([](Json& j) { j["model"]["merges"] = {"b a"}; }),
              HasSubstr("merges: merge 0: found \"ba\", need a piece of the vocabulary"));
  EXPECT_THAT(message([](Json& j) { j["model"]["merges"] = {"a  b"}; }),
              HasSubstr("need two pieces"));
  EXPECT_THAT(message([](Json& j) { j["model"]["vocab"]["z"] = -5; }), HasSubstr("found id -5"));
  EXPECT_THAT(message([](Json& j) { j["model"]["vocab"]["z"] = 4000000000; }),
              HasSubstr("found id 4000000000"));
  EXPECT_THAT(message([](Json& j) { j["model"]["vocab"]["z"] = 1; }),
              HasSubstr("id 1: found \"a\" and \"z\", need one spelling"));
  EXPECT_THAT(message([](Json& j) { j["model"]["vocab"]["z"] = "one"; }),
              HasSubstr("\"z\": found string, need an id"));
  EXPECT_THAT(message([](Json& j) { j["added_tokens"] = step(R"([{"id": 1, "content": "q"}])"); }),
              HasSubstr("id 1: found \"a\" and \"q\""));
}

TEST(TokenizerJson, ARegexThatDoesNotCompileIsNamed) {
  Json json = small_json();
  json["pre_tokenizer"] = step(
      R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated", "invert": false})");
  const Caught error = refusal(json);
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("pattern \"(a\": found missing closing parenthesis"));
}

TEST(TokenizerJson, ARegexThatBlowsUpEndsWithAnError) {
  Json json = small_json();
  json["pre_tokenizer"] = step(
      R"({"type": "Split", "pattern": {"Regex": "(a+)+$x"}, "behavior": "Isolated", "invert": false})");
  const auto tokenizer = load(json);
  try {
    tokenizer->encode(std::string(5000, 'a') + "b");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInput);
  }
}

TEST(TokenizerJson, UnigramWithFallback) {
  Json json = small_json();
  json["model"] =
      step(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1], ["b", -1],
    ["ab", -1.5], ["ba", -1.25]]})");
  const auto tokenizer = load(json);
  EXPECT_EQ(tokenizer->kind(), "unigram (tokenizer.json)");
  EXPECT_THAT(tokenizer->encode("aba"), ElementsAre(1, 4));
  EXPECT_THAT(tokenizer->encode("axya"), ElementsAre(1, 0, 1));
  json["model"]["unk_id"] = 7;
  EXPECT_THAT(refusal(json).message, HasSubstr("unk_id: found 7, need 0 to 4"));
}

TEST(TokenizerFolder, VocabAndMergesFollowTheClass) {
  const FileFolder folder;
  SmallByteLevel small({{"1", "2"}, {"h", "i"}}, {});
  Json vocab = Json::object();
  for (size_t i = 0; i < small.tokens.size(); ++i) vocab[small.tokens[i]] = i;
  folder.write("vocab.json", vocab.dump());
  folder.write("merges.txt", "#version: 0.2\n" + small.merges[0] + "\n" + small.merges[1] + "\r\n");
  EXPECT_THAT(tokenizer_from_path(folder.path())->encode("hi12"), ElementsAre(257, 256));
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer"})");
  EXPECT_THAT(tokenizer_from_path(folder.path())->encode("hi12"), ElementsAre(257, '1', '2'));
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "OddTokenizer"})");
  const Caught error = caught([&] { tokenizer_from_path(folder.path()); });
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("tokenizer_class: found \"OddTokenizer\""));
}

TEST(TokenizerFolder, RankFilesAreKnownByContent) {
  const FileFolder folder;
  Caught error =
      caught([&] { tokenizer_from_path(folder.write("x.tiktoken", "YQ== 0\nYg== 1\n")); });
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.message, HasSubstr("rank file: found 2 ranks with digest"));
  error = caught([&] { tokenizer_from_path(folder.write("x.tiktoken", "YQ== 0\nYg== 7\n")); });
  EXPECT_EQ(error.code, Code::kInput);
  EXPECT_THAT(error.message, HasSubstr("x.tiktoken:2: found \"Yg== 7\", need base64"));
  error = caught([&] { tokenizer_from_path(folder.write("x.tiktoken", "YQ== 0\nY*== 1\n")); });
  EXPECT_THAT(error.message, HasSubstr("x.tiktoken:2: base64: found byte 42"));
}

TEST(TokenizerFolder, NothingThereIsAnIoError) {
  const FileFolder folder;
  EXPECT_EQ(caught([&] { tokenizer_from_path(folder.path()); }).code, Code::kIo);
  EXPECT_EQ(caught([&] { tokenizer_from_path(folder.path() / "no.json"); }).code, Code::kIo);
}

}  // namespace
}  // namespace keju
