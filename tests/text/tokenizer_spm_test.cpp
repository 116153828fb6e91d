// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "tests/text/tokenizer_test_models.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Tokenizer> load(const SmallSpm& model) {
  const FileFolder folder;
  return tokenizer_from_path(folder.write("tokenizer.model", model.bytes()));
}

SmallSpm small_bpe() {
  SmallSpm model;
  model.add_bytes();                   // 3 to 258
  model.pieces.push_back({"▁a", -1});  // 259
  model.pieces.push_back({"bc", -2});  // 260
  model.pieces.push_back({"ab", -3});  // 261
  model.pieces.push_back({"▁", -10});  // 262
  model.pieces.push_back({"a", -11});  // 263
  model.pieces.push_back({"b", -12});  // 264
  model.pieces.push_back({"c", -13});  // 265
  return model;
}

TEST(SentencePieceBpe, JoinsByScore) {
  const auto tokenizer = load(small_bpe());
  EXPECT_EQ(tokenizer->kind(), "sentencepiece bpe (tokenizer.model)");
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(259, 260));
  EXPECT_THAT(tokenizer->encode("babc"), ElementsAre(262, 264, 263, 260));
  EXPECT_THAT(tokenizer->encode("中"), ElementsAre(262, 3 + 0xE4, 3 + 0xB8, 3 + 0xAD));
  EXPECT_THAT(tokenizer->encode("  a   a  "), ElementsAre(259, 259));  // extra spaces go
  EXPECT_THAT(tokenizer->special().prefix, ElementsAre(1));
  EXPECT_THAT(tokenizer->special().stops, ElementsAre(2));
}

TEST(SentencePieceBpe, ControlPiecesAreNotReadFromPlainText) {
  const auto tokenizer = load(small_bpe());
  EXPECT_THAT(tokenizer->encode("</s>", ParseSpecial::kYes), ElementsAre(2));
  EXPECT_THAT(tokenizer->encode("</s>", ParseSpecial::kNo), testing::SizeIs(5));
}

TEST(SentencePieceBpe, DecodingTakesTheDummyPrefixOff) {
  const auto tokenizer = load(small_bpe());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("abc 中")), "abc 中");
  EXPECT_EQ(tokenizer->piece(259), " a");
  EXPECT_EQ(tokenizer->piece(3 + 0xE4), "\xE4");
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(1), "");
  EXPECT_EQ(stream.push(259), "a");
  EXPECT_EQ(stream.push(259), " a");
  EXPECT_EQ(stream.push(3 + 0xE4), "");
  EXPECT_EQ(stream.push(3 + 0xB8), "");
  EXPECT_EQ(stream.push(3 + 0xAD), "中");
  EXPECT_EQ(stream.push(3 + 0xE4), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

TEST(SentencePieceBpe, PartsHaveOneDummyPrefix) {
  const auto tokenizer = load(small_bpe());
  std::vector<TokenId> ids;
  tokenizer->encode_parts({{"a", ParseSpecial::kYes}, {"bc", ParseSpecial::kNo}}, ids);
  EXPECT_EQ(ids, tokenizer->encode("abc"));
  ids.clear();
  tokenizer->encode_parts({{"<s>", ParseSpecial::kYes}, {"<s>", ParseSpecial::kNo}}, ids);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 1), 1);
}

// Ids by tokenization_chatglm.py: special tokens are numbered after the file's pieces.
TEST(SentencePieceFile, ChatGlmHasItsOwnTokensAndPrefix) {
  const FileFolder folder;
  folder.write("tokenizer.model", small_bpe().bytes());
  folder.write("tokenizer_config.json",
               R"({"tokenizer_class": "ChatGLMTokenizer", "name_or_path": "THUDM/chatglm3-6b"})");
  const auto glm3 = tokenizer_from_path(folder.path());
  const auto pieces = static_cast<TokenId>(small_bpe().pieces.size());
  EXPECT_THAT(glm3->special().prefix, ElementsAre(pieces + 1, pieces + 3));
  EXPECT_EQ(glm3->find("[gMASK]"), pieces + 1);
  EXPECT_THAT(glm3->special().stops, ElementsAre(2, pieces + 6, pieces + 8));
  EXPECT_EQ(glm3->find("<|observation|>"), pieces + 8);
  EXPECT_THAT(glm3->encode("<|user|>", ParseSpecial::kYes), ElementsAre(pieces + 6));
  folder.write("tokenizer_config.json",
               R"({"tokenizer_class": "ChatGLMTokenizer", "name_or_path": "THUDM/chatglm2-6b"})");
  const auto glm2 = tokenizer_from_path(folder.path());
  EXPECT_THAT(glm2->special().prefix, ElementsAre(pieces + 1, pieces + 3));
  EXPECT_EQ(glm2->find("<|user|>"), std::nullopt);
}

// InternLM's chat ends its turns with a user-defined piece.
TEST(SentencePieceFile, AUserDefinedPieceMayEndATurn) {
  SmallSpm model = small_bpe();
  model.pieces.push_back({"<eoa>", 0, PieceType::kUserDefined});  // 266
  EXPECT_THAT(load(model)->special().stops, ElementsAre(2, 266));
}

TEST(SentencePieceBpe, AnUnusedPieceFallsApartAgain) {
  SmallSpm model = small_bpe();
  model.pieces[260].type = PieceType::kUnused;
  EXPECT_THAT(load(model)->encode("abc"), ElementsAre(259, 264, 265));
}

TEST(SentencePieceBpe, AUserDefinedPieceIsNeverJoined) {
  SmallSpm model = small_bpe();
  model.pieces.push_back({"bb", 0, PieceType::kUserDefined});  // 266
  EXPECT_THAT(load(model)->encode("abbbc"), ElementsAre(259, 266, 260));
}

// Rules, collapsed spaces and user-defined pieces amid plain text; scripts/fuzz_sentencepiece.py
// made the model and took its ids from the library.
TEST(SentencePieceBpe, NormalizesAsTheLibraryDoes) {
  const std::string folder = "tests/fixtures/tokenizers/spm-rules";
  const auto tokenizer = tokenizer_from_path(folder + "/tokenizer.model");
  std::ifstream lines(folder + "/expected.jsonl");
  int compared = 0;
  for (std::string line; std::getline(lines, line); ++compared) {
    const Json expected = Json::parse(line);
    std::vector<TokenId> ids;
    tokenizer->encode(expected["text"].get<std::string>(), ParseSpecial::kNo, ids);
    EXPECT_EQ(ids, expected["ids"].get<std::vector<TokenId>>()) << expected["text"];
  }
  EXPECT_EQ(compared, 300);
}

// "b", "ab", "a" sum to -6.979 with a bonus of 0.1 and to -7.179 without; "ba" twice to -6.986.
// sentencepiece 0.2.3 takes the first on a model with these scores.
TEST(SentencePieceUnigram, AUserDefinedPieceHasABonusByItsBytes) {
  SmallSpm model;
  model.model_type = 1;
  for (const auto& [text, score] : {std::pair<const char*, float>{"▁", -1.8F},
                                    {"a", -3.541F},
                                    {"b", -3.538F},
                                    {"ba", -3.493F}}) {
    model.pieces.push_back({text, score});
  }
  model.pieces.push_back({"ab", 0, PieceType::kUserDefined});
  EXPECT_THAT(load(model)->encode("baba"), ElementsAre(3, 5, 7, 4));
}

TEST(SentencePieceUnigram, TakesTheBestPath) {
  SmallSpm model;
  model.model_type = 1;
  for (const auto& [text, score] : std::vector<std::pair<const char*, float>>{
           {"▁", -4}, {"a", -3}, {"b", -3}, {"ab", -5}, {"▁ab", -9.5}, {"▁a", -6.9}}) {
    model.pieces.push_back({text, score});  // from 3
  }
  const auto tokenizer = load(model);
  EXPECT_EQ(tokenizer->kind(), "unigram (tokenizer.model)");
  EXPECT_THAT(tokenizer->encode("ab"), ElementsAre(3, 6));      // -9 beats -9.5, -9.9 and -10
  EXPECT_THAT(tokenizer->encode("xyb"), ElementsAre(3, 0, 5));  // a run of unknowns is one
  EXPECT_THAT(tokenizer->encode("b中a"), ElementsAre(3, 5, 0, 4));
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
}

TEST(SentencePieceFile, EveryCutIsAnErrorOrASmallerModel) {
  const FileFolder folder;
  const std::string whole = small_bpe().bytes();
  for (size_t size = 0; size < whole.size();
       size += size < 64 || size + 64 > whole.size() ? 1 : 7) {
    const auto path = folder.write("cut.model", std::string_view(whole).substr(0, size));
    try {
      tokenizer_from_path(path)->encode("abc 中文\n");
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == Code::kInput || error.code() == Code::kUnsupported) << size;
    }
  }
}

TEST(SentencePieceFile, EveryChangedByteIsHandled) {
  const FileFolder folder;
  SmallSpm model;
  for (const char* text : {"▁a", "a", "▁"}) model.pieces.push_back({text, -1});
  model.charsmap = std::string("\x08\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08zz", 14);
  const std::string whole = model.bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {0x01, 0x08, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      try {
        tokenizer_from_path(folder.write("bad.model", bytes))->encode("a a\xE4 中");
      } catch (const Error& error) {
        EXPECT_NE(error.code(), Code::kBug) << at;
      }
    }
  }
}

TEST(SentencePieceFile, SaysWhatIsWrong) {
  const FileFolder folder;
  const auto message = [&](const std::string& bytes) {
    const auto path = folder.write("x.model", bytes);
    return caught([&] { tokenizer_from_path(path); }).message;
  };
  EXPECT_THAT(message(""), HasSubstr("x.model: pieces: found 0, need at least 1"));
  EXPECT_THAT(message("\x0A\x7F"), HasSubstr("byte 2: found 0 bytes left, need 127"));
  EXPECT_THAT(message("\x0B"), HasSubstr("found wire type 3, need 0, 1, 2 or 5"));
  SmallSpm model = small_bpe();
  model.model_type = 3;
  EXPECT_THAT(message(model.bytes()),
              HasSubstr("model_type: found 3, need 1 (unigram) or 2 (bpe)"));
  model = small_bpe();
  model.charsmap = "abc";
  EXPECT_THAT(message(model.bytes()), HasSubstr("precompiled_charsmap: found a trie of 0 bytes"));
  model = small_bpe();
  model.pieces[4].text = "<0xGG>";
  EXPECT_THAT(message(model.bytes()), HasSubstr("byte piece 4: found \"<0xGG>\""));
}

TEST(SentencePieceBpe, LongRunsTakeBoundedTime) {
  SmallSpm model = small_bpe();
  model.remove_extra = false;
  for (std::string run = "▁▁"; run.size() < 100; run += run) model.pieces.push_back({run, -0.5f});
  for (std::string run = "aa"; run.size() < 100; run += run) model.pieces.push_back({run, -0.5f});
  for (const uint64_t type : {1, 2}) {
    model.model_type = type;
    const auto tokenizer = load(model);
    for (const char* unit : {" ", "a", "中", "\n", "ab "}) {
      std::string text;
      while (text.size() < 400'000) text += unit;
      EXPECT_FALSE(tokenizer->encode(text).empty());
    }
  }
}

}  // namespace
}  // namespace keju
