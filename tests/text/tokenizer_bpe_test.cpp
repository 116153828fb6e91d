// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "base/error.h"
#include "tests/text/tokenizer_test_models.h"
#include "text/bpe.h"

namespace keju {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<TokenId>;

const SmallByteLevel& hello() {
  static const SmallByteLevel small({{"l", "l"}, {"h", "e"}, {"he", "ll"}, {" ", "w"}, {"1", "2"}},
                                    {"<|im_start|>", "<|im_end|>"});
  return small;
}

TEST(ByteLevelBpe, MergesByRankAndCutsDigits) {
  const auto tokenizer = tokenizer_from_gguf(hello().metadata("smollm"));
  EXPECT_THAT(tokenizer->encode("hello w"), ElementsAre(258, 'o', 259));
  EXPECT_THAT(tokenizer->encode("12"), ElementsAre('1', '2'));  // digits stand alone
  EXPECT_THAT(tokenizer_from_gguf(hello().metadata("gpt-2"))->encode("12"), ElementsAre(260));
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
  EXPECT_EQ(tokenizer->kind(), "bpe (gguf, smollm)");
  EXPECT_EQ(tokenizer->vocab_size(), 263);
}

TEST(ByteLevelBpe, SpecialTokensOnlyWhereAsked) {
  const auto tokenizer = tokenizer_from_gguf(hello().metadata("smollm"));
  EXPECT_THAT(tokenizer->encode("<|im_end|>he", ParseSpecial::kYes), ElementsAre(262, 257));
  EXPECT_EQ(tokenizer->encode("<|im_end|>", ParseSpecial::kNo).size(), 10u);
  EXPECT_TRUE(tokenizer->is_special(262));
  EXPECT_EQ(tokenizer->piece(262), "<|im_end|>");
  EXPECT_EQ(tokenizer->decode({257, 262}), "he");
  EXPECT_EQ(tokenizer->decode({257, 262}, true), "he<|im_end|>");
  EXPECT_THAT(tokenizer->special().stops, ElementsAre(262));
  EXPECT_EQ(tokenizer->find("<|im_start|>"), 261);
  EXPECT_EQ(tokenizer->find("<|im"), std::nullopt);
}

// Parts are one text: merges cross their seams, and a special token is read only where marks spell
// all of it.
TEST(ByteLevelBpe, PartsAreReadAsOneTextUnderTheirOwnRules) {
  const auto tokenizer = tokenizer_from_gguf(hello().metadata("smollm"));
  const auto parts = [&](const std::vector<TextPart>& list) {
    Ids ids;
    tokenizer->encode_parts(list, ids);
    return ids;
  };
  constexpr auto kYes = ParseSpecial::kYes;
  constexpr auto kNo = ParseSpecial::kNo;
  EXPECT_THAT(parts({{"he", kYes}, {"ll", kNo}}), ElementsAre(258));
  const Ids forged = parts({{"<|im_start|>", kYes}, {"<|im_end|>he", kNo}, {"<|im_end|>", kYes}});
  ASSERT_EQ(forged.size(), 13u);
  EXPECT_EQ(forged.front(), 261);
  EXPECT_EQ(forged.back(), 262);
  EXPECT_EQ(std::count(forged.begin(), forged.end(), 262), 1);
  EXPECT_EQ(parts({{"<|im_", kNo}, {"end|>", kYes}}).size(), 10u);
  EXPECT_EQ(parts({{"<|im_", kYes}, {"end|>", kNo}}).size(), 10u);
  EXPECT_THAT(parts({{"<", kNo}, {"<|im_end|>", kYes}}), ElementsAre('<', 262));
  EXPECT_THAT(parts({{"<|im_", kYes}, {"", kNo}, {"end|>", kYes}}), ElementsAre(262));
  EXPECT_THAT(parts({}), ElementsAre());
  EXPECT_THAT(parts({{"\xE4\xB8", kNo}, {"he", kYes}}).back(), 257);  // cut UTF-8
}

TEST(ByteLevelBpe, PrefixFollowsAddBos) {
  KeyValues metadata = hello().metadata("smollm");
  metadata.set("tokenizer.ggml.bos_token_id", int64_t{261});
  metadata.set("tokenizer.ggml.eos_token_id", int64_t{5});
  EXPECT_THAT(tokenizer_from_gguf(metadata)->special().prefix, ElementsAre());
  metadata.set("tokenizer.ggml.add_bos_token", true);
  const auto tokenizer = tokenizer_from_gguf(metadata);
  EXPECT_THAT(tokenizer->special().prefix, ElementsAre(261));
  EXPECT_THAT(tokenizer->special().stops, ElementsAre(5, 262));
}

TEST(ByteLevelBpe, InvalidUtf8BecomesReplacementCharacters) {
  const auto tokenizer = tokenizer_from_gguf(hello().metadata("gpt-2"));
  EXPECT_EQ(tokenizer->encode("a\xFFz"), tokenizer->encode("a\xEF\xBF\xBDz"));
  EXPECT_EQ(tokenizer->encode("\xE4\xBD").size(), 6u);
}

TEST(ByteLevelBpe, RefusesWhatItDoesNotKnowByName) {
  Caught error = caught([] { tokenizer_from_gguf(hello().metadata("smolm")); });
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.message,
              HasSubstr("small.gguf: tokenizer.ggml.pre: found \"smolm\", need a known"));
  EXPECT_THAT(error.message, HasSubstr("smollm"));
  KeyValues metadata = hello().metadata("smollm");
  metadata.set("tokenizer.ggml.model", std::string("rwkv"));
  error = caught([&] { tokenizer_from_gguf(metadata); });
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_EQ(error.message,
            "small.gguf: tokenizer.ggml.model: found \"rwkv\", need \"gpt2\" or \"llama\"");
}

TEST(ByteLevelBpe, RefusesMetadataThatDoesNotFit) {
  const auto refused = [](const char* key, KeyValue value) {
    KeyValues metadata = hello().metadata("smollm");
    metadata.set(key, std::move(value));
    const Caught error = caught([&] { tokenizer_from_gguf(metadata); });
    EXPECT_EQ(error.code, Code::kInput) << key;
    return error.message;
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(
      refused("tokenizer.ggml.merges", Strings{"h x"}),
      "small.gguf: tokenizer.ggml.merges: merge 0: found \"hx\", need a piece of the vocabulary");
  EXPECT_EQ(refused("tokenizer.ggml.merges", Strings{"hx"}),
            "small.gguf: tokenizer.ggml.merges: found \"hx\", need two pieces parted by a space");
  EXPECT_EQ(refused("tokenizer.ggml.token_type", std::vector<int64_t>{1}),
            "small.gguf: tokenizer.ggml.token_type: found 1 entries, need 263");
  EXPECT_EQ(refused("tokenizer.ggml.token_type", std::vector<int64_t>(263, 9)),
            "small.gguf: tokenizer.ggml.token_type: found 9 for token 0, need 1 to 6");
  EXPECT_EQ(refused("tokenizer.ggml.eos_token_id", int64_t{263}),
            "small.gguf: tokenizer.ggml.eos_token_id: found 263, need 0 to 262");
  EXPECT_EQ(refused("tokenizer.ggml.bos_token_id", int64_t{-1}),
            "small.gguf: tokenizer.ggml.bos_token_id: found -1, need 0 to 262");
  EXPECT_THAT(refused("tokenizer.ggml.tokens", Strings{}), HasSubstr("found 0 entries"));
}

TEST(ByteLevelBpe, AnIdOutsideTheVocabularyIsAUsageError) {
  const auto tokenizer = tokenizer_from_gguf(hello().metadata("smollm"));
  for (const TokenId id : {-1, 263, INT32_MAX}) {
    const Caught error = caught([&] { tokenizer->piece(id); });
    EXPECT_EQ(error.code, Code::kUsage);
    EXPECT_EQ(error.message, fmt::format("tokenizer: id: found {}, need 0 to 262", id));
  }
  EXPECT_EQ(caught([&] { tokenizer->decode({1, 999}); }).code, Code::kUsage);
}

TEST(ByteLevelBpe, DigestFollowsContent) {
  const std::string digest = tokenizer_from_gguf(hello().metadata("smollm"))->digest();
  EXPECT_EQ(tokenizer_from_gguf(hello().metadata("smollm"))->digest(), digest);
  EXPECT_NE(tokenizer_from_gguf(hello().metadata("gpt-2"))->digest(), digest);
  EXPECT_EQ(digest.size(), 64u);
}

// What BPE means, done the slow way: join the pair of lowest rank, leftmost, again and again.
Ids joined_slowly(std::vector<std::string> parts,
                  const std::vector<std::pair<std::string, std::string>>& merges,
                  const Vocab& vocab) {
  while (true) {
    size_t best = merges.size();
    size_t at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = std::find(merges.begin(), merges.end(), std::pair(parts[i], parts[i + 1]));
      const auto rank = static_cast<size_t>(found - merges.begin());
      if (rank < best) {
        best = rank;
        at = i;
      }
    }
    if (best == merges.size()) break;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<int64_t>(at) + 1);
  }
  Ids ids;
  for (const std::string& part : parts) ids.push_back(vocab.find(stand_ins_from_bytes(part)));
  return ids;
}

// Random merges, in no order that training would give: some join parts of characters, some make
// a character only after merges that use it. Cutting, caching and starting from whole characters
// may change nothing.
TEST(ByteLevelBpe, EqualsTheDefinitionForRandomMerges) {
  std::mt19937 random(7);
  const std::vector<std::string> alphabet{"a", "b", " ", "é", "中", "丮", "文", "𠮷"};
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> known;
    for (const std::string& letter : alphabet) {
      for (const char byte : letter) known.emplace_back(1, byte);
    }
    std::vector<std::pair<std::string, std::string>> merges;
    while (merges.size() < 40) {
      const std::string& left = known[random() % known.size()];
      const std::string& right = known[random() % known.size()];
      std::string whole = left + right;
      const bool twice = std::find(known.begin(), known.end(), whole) != known.end();
      if (whole.size() > 8 || (twice && random() % 4 != 0)) continue;
      if (std::find(merges.begin(), merges.end(), std::pair(left, right)) != merges.end()) continue;
      merges.emplace_back(left, right);
      if (!twice) known.push_back(std::move(whole));
    }
    std::shuffle(merges.begin(), merges.end(), random);
    Vocab vocab;
    TokenId next = 0;
    for (int byte = 0; byte < 256; ++byte) {
      vocab.add(stand_ins_from_bytes(std::string(1, static_cast<char>(byte))), next++, "test");
    }
    for (const std::string& piece : known) {
      const std::string spelling = stand_ins_from_bytes(piece);
      if (vocab.find(spelling) < 0) vocab.add(spelling, next++, "test");
    }
    PairBpe model(vocab, {.byte_level = true}, merges.size());
    for (const auto& [left, right] : merges) {
      model.add_merge(stand_ins_from_bytes(left), stand_ins_from_bytes(right), "test");
    }
    model.finish();
    for (int n = 0; n < 40; ++n) {
      std::string word;
      for (size_t length = 1 + random() % (n % 8 == 0 ? 90 : 12); length > 0; --length) {
        word += alphabet[random() % alphabet.size()];
      }
      std::vector<std::string> parts;
      for (const char byte : word) parts.emplace_back(1, byte);
      Ids ids;
      model.encode(word, ids);
      ASSERT_EQ(ids, joined_slowly(parts, merges, vocab)) << "round " << round << ": " << word;
    }
  }
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Quadratic time would take hours for these.
TEST(ByteLevelBpe, LongRunsTakeBoundedTime) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& run : {std::string(" "), std::string("a"), std::string("\n")}) {
    for (std::string half = run; half.size() < 64; half += half) merges.emplace_back(half, half);
  }
  const SmallByteLevel small(merges, {});
  for (const char* pre : {"smollm", "qwen2", "llama-bpe", "deepseek-v3", "gpt-4o", "tekken"}) {
    const auto tokenizer = tokenizer_from_gguf(small.metadata(pre));
    for (const char* unit : {" ", "a", "\n", "a ", "\xCC\x81", "1", "中", "\xFF", "'"}) {
      std::string text;
      while (text.size() < 400'000) text += unit;
      EXPECT_LT(seconds_of([&] { EXPECT_FALSE(tokenizer->encode(text).empty()); }), 20)
          << pre << " " << testing::PrintToString(unit);
    }
  }
}

}  // namespace
}  // namespace keju
