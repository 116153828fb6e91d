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
