// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "base/utf8.h"
#include "tests/support/gguf_metadata.h"
#include "tests/support/require.h"
#include "text/tokenizer.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

struct Folder {
  const char* name;
  const char* model;  // the GGUF whose vocabulary it uses, or null for a file in the folder
};

constexpr Folder kFolders[] = {
    {"gguf-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
    {"gguf-gemma3", "gemma-3-270m-q4_k_m.gguf"},
    {"gemma3", "gemma-3-270m-q4_k_m.gguf"},
    {"smollm2", nullptr},
    {"qwen2-fast", nullptr},
    {"llama3-fast", nullptr},
    {"deepseek-v3", nullptr},
    {"qwen1", nullptr},
    {"llama3", nullptr},
    {"mistral-v1", nullptr},
    {"mistral-v3", nullptr},
};

struct Example {
  std::string text;
  std::vector<TokenId> ids;
  std::optional<std::vector<TokenId>> plain;
};

std::vector<Example> read_examples(const fs::path& path) {
  std::vector<Example> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const Json json = parse_json(line, path.string());
    Example example{json["text"].get<std::string>(), json["ids"].get<std::vector<TokenId>>(), {}};
    if (json.contains("ids_plain")) example.plain = json["ids_plain"].get<std::vector<TokenId>>();
    out.push_back(std::move(example));
  }
  return out;
}

class TokenizerFixture : public testing::TestWithParam<Folder> {
 protected:
  void SetUp() override {
    KEJU_NEED(shared);
    const Folder& folder = GetParam();
    if (folder.model != nullptr) KEJU_NEED(models);
    const fs::path path = shared_dir() / "fixtures/tokenizers" / folder.name;
    tokenizer_ = folder.model != nullptr
                     ? tokenizer_from_gguf(GgufMetadata::read(model_file(folder.model)))
                     : tokenizer_from_path(path);
    parse_ = read_json(path / "about.json")["parse_special"].get<bool>() ? ParseSpecial::kYes
                                                                         : ParseSpecial::kNo;
    examples_ = read_examples(path / "expected.jsonl");
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  ParseSpecial parse_ = ParseSpecial::kNo;
  std::vector<Example> examples_;
};

TEST_P(TokenizerFixture, IdsEqualTheReference) {
  ASSERT_GT(examples_.size(), 600u);
  size_t equal = 0;
  for (const Example& example : examples_) {
    const std::vector<TokenId> ids = tokenizer_->encode(example.text, parse_);
    EXPECT_EQ(ids, example.ids) << Json(example.text).dump();
    equal += ids == example.ids ? 1 : 0;
    if (!example.plain) continue;
    EXPECT_EQ(tokenizer_->encode(example.text, ParseSpecial::kNo), *example.plain)
        << Json(example.text).dump();
  }
  std::printf("%s: %zu of %zu lines equal\n", GetParam().name, equal, examples_.size());
}

TEST_P(TokenizerFixture, ManyTextsInOneGiveTheSameOnASecondRun) {
  std::string all;
  for (const Example& example : examples_) all += example.text;
  const std::vector<TokenId> once = tokenizer_->encode(all, parse_);
  EXPECT_EQ(tokenizer_->encode(all, parse_), once);
}

// A stream shows what decoding shows; byte tokens that are no UTF-8 are the one place where a
// reference may look further than a stream can.
TEST_P(TokenizerFixture, StreamsAsItDecodes) {
  for (const Example& example : examples_) {
    StreamDecoder stream(*tokenizer_);
    std::string shown;
    for (const TokenId id : example.ids) {
      shown += stream.push(id);
      EXPECT_TRUE(valid_utf8(shown));
    }
    shown += stream.finish();
    EXPECT_EQ(shown, tokenizer_->decode(example.ids)) << Json(example.text).dump();
  }
}

// Wherever a text is cut into parts of one rule, the parts give the ids of the whole.
TEST_P(TokenizerFixture, PartsGiveTheIdsOfTheWhole) {
  for (size_t i = 0; i < examples_.size(); i += 7) {
    const std::string& text = examples_[i].text;
    const std::vector<TokenId> whole = tokenizer_->encode(text, parse_);
    for (size_t cut = 0; cut <= text.size(); cut += 1 + text.size() / 8) {
      while (cut < text.size() && (static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) ++cut;
      const std::string_view view(text);
      std::vector<TokenId> ids;
      tokenizer_->encode_parts({{view.substr(0, cut), parse_}, {view.substr(cut), parse_}}, ids);
      EXPECT_EQ(ids, whole) << Json(text).dump() << " at " << cut;
    }
  }
}

// A run of U+FFFD as one: how many a broken sequence becomes is the decoder's own affair.
std::string broken_runs_as_one(const std::string& text) {
  constexpr std::string_view kBroken = "\xEF\xBF\xBD";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (std::string_view(text).substr(at).starts_with(kBroken)) {
      if (!std::string_view(out).ends_with(kBroken)) out += kBroken;
      at += kBroken.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

// A generation may end behind any token, in the middle of a character too: what was shown is valid
// UTF-8 all along, is never taken back, and in the end is what decoding the ids gives.
TEST_P(TokenizerFixture, AStreamMayEndAnywhere) {
  size_t cut_characters = 0;
  for (size_t i = 0; i < examples_.size(); i += 3) {
    const std::vector<TokenId>& ids = examples_[i].ids;
    for (size_t size = 1; size <= std::min<size_t>(ids.size(), 40); ++size) {
      StreamDecoder stream(*tokenizer_);
      std::string shown;
      const std::vector<TokenId> prefix(ids.begin(), ids.begin() + static_cast<int64_t>(size));
      for (const TokenId id : prefix) {
        shown += stream.push(id);
        ASSERT_TRUE(valid_utf8(shown)) << Json(examples_[i].text).dump();
      }
      const std::string rest = stream.finish();
      cut_characters += rest.empty() ? 0 : 1;
      ASSERT_TRUE(valid_utf8(rest));
      EXPECT_EQ(broken_runs_as_one(shown + rest), broken_runs_as_one(tokenizer_->decode(prefix)))
          << Json(examples_[i].text).dump() << " after " << size;
    }
  }
  EXPECT_GT(cut_characters, 0u);
}

INSTANTIATE_TEST_SUITE_P(All,
                         TokenizerFixture,
                         testing::ValuesIn(kFolders),
                         [](const testing::TestParamInfo<Folder>& param) {
                           std::string name = param.param.name;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace keju
