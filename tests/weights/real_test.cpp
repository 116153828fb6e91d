// SPDX-License-Identifier: MIT
#include <filesystem>
#include <set>

#include "base/json.h"
#include "tests/support/require.h"
#include "weights/checkpoint.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

TEST(RealFiles, EveryFixtureOpens) {
  KEJU_NEED(shared);
  ThreadPool pool(2);
  std::set<std::string> digests;
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(shared_dir() / "fixtures" / "models")) {
    SCOPED_TRACE(entry.path().string());
    const auto checkpoint = Checkpoint::open(entry.path().string());
    ++folders;
    EXPECT_EQ(checkpoint->format(), Checkpoint::Format::kSafetensors);
    EXPECT_GT(checkpoint->tensors().size(), 5u);
    EXPECT_TRUE(checkpoint->left_out().empty());
    EXPECT_TRUE(checkpoint->config().contains("model_type"));
    for (const StoredTensor& tensor : checkpoint->tensors()) {
      EXPECT_EQ(tensor.bytes,
                static_cast<uint64_t>(elements(tensor.shape)) *
                    static_cast<uint64_t>(facts(tensor.dtype).block_bytes));
    }
    EXPECT_TRUE(digests.insert(checkpoint->digest(pool)).second);
  }
  EXPECT_EQ(folders, 45);
}

TEST(RealFiles, ShardedFixture) {
  KEJU_NEED(shared);
  const auto checkpoint = Checkpoint::open(
      (shared_dir() / "fixtures" / "models" / "llama-linear-rope-sharded-bf16").string());
  EXPECT_EQ(checkpoint->files().size(), 3u);
  EXPECT_EQ(checkpoint->weight_bytes(), 57664u);  // its index says so too
}

TEST(RealFiles, SmolLm2Gguf) {
  KEJU_NEED(models);
  const auto checkpoint = Checkpoint::open(model_file("SmolLM2-135M-Instruct.Q4_1.gguf").string());
  EXPECT_EQ(checkpoint->tensors().size(), 272u);
  EXPECT_EQ(checkpoint->metadata().string("general.architecture"), "llama");
  EXPECT_EQ(checkpoint->metadata().strings("tokenizer.ggml.tokens").size(), 49152u);
  const StoredTensor* embedding = checkpoint->find("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->shape, (Shape{49152, 576}));
}

TEST(RealFiles, Gemma3Gguf) {
  KEJU_NEED(models);
  const auto checkpoint = Checkpoint::open(model_file("gemma-3-270m-q4_k_m.gguf").string());
  EXPECT_EQ(checkpoint->tensors().size(), 236u);
  EXPECT_EQ(checkpoint->metadata().string("general.architecture"), "gemma3");
  const StoredTensor* embedding = checkpoint->find("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->shape, (Shape{262144, 640}));
  ThreadPool pool(2);
  EXPECT_EQ(checkpoint->digest(pool).size(), 64u);
}

}  // namespace
}  // namespace keju
