// SPDX-License-Identifier: MIT
// A checkpoint must hold what its configuration says, no less, no more, in the shapes that follow.
#include "model/binder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/family.h"
#include "tests/support/checkpoint_writer.h"
#include "tests/support/temp_folder.h"
#include "tests/weights/test_files.h"

namespace keju {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Tensors = std::vector<TensorToWrite>;

constexpr int64_t kVocab = 5, kWidth = 4, kMlp = 3;

TensorToWrite tensor(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t axis : shape) count *= axis;
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i) + static_cast<float>(name.size()) / 64;
  }
  return {name, DType::kF32, shape, f32_bytes(values)};
}

// LLaMA with one layer, two query heads and one key head of two elements.
Json config() {
  return {{"model_type", "llama"},
          {"hidden_size", kWidth},
          {"intermediate_size", kMlp},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"vocab_size", kVocab}};
}

Tensors sound() {
  const std::string layer = "model.layers.0.";
  return {tensor("model.embed_tokens.weight", {kVocab, kWidth}),
          tensor("model.norm.weight", {kWidth}),
          tensor("lm_head.weight", {kVocab, kWidth}),
          tensor(layer + "input_layernorm.weight", {kWidth}),
          tensor(layer + "post_attention_layernorm.weight", {kWidth}),
          tensor(layer + "self_attn.q_proj.weight", {4, kWidth}),
          tensor(layer + "self_attn.k_proj.weight", {2, kWidth}),
          tensor(layer + "self_attn.v_proj.weight", {2, kWidth}),
          tensor(layer + "self_attn.o_proj.weight", {kWidth, 4}),
          tensor(layer + "mlp.gate_proj.weight", {kMlp, kWidth}),
          tensor(layer + "mlp.up_proj.weight", {kMlp, kWidth}),
          tensor(layer + "mlp.down_proj.weight", {kWidth, kMlp})};
}

struct Bound {
  explicit Bound(const Json& config, const Tensors& tensors) {
    folder.write("config.json", config.dump());
    folder.write("model.safetensors", safetensors_file(tensors));
    checkpoint = Checkpoint::open(folder.path().string());
    const Family& family = family_of(*checkpoint);
    sources = bind(family, describe(family, *checkpoint), *checkpoint);
  }
  TestFolder folder;
  std::shared_ptr<const Checkpoint> checkpoint;
  ModelSources sources;
};

Error refused(const Json& config, const Tensors& tensors) {
  return error_of([&] { Bound(config, tensors); });
}

Tensors without(const std::string& name) {
  Tensors tensors = sound();
  std::erase_if(tensors, [&](const TensorToWrite& t) { return t.name == name; });
  return tensors;
}

float first_value(const MatrixSource& source) {
  float value = 0;
  std::memcpy(&value, source.pieces.at(0).data, sizeof value);
  return value;
}

TEST(Bind, TakesEveryTensorOfASoundCheckpoint) {
  const Bound bound(config(), sound());
  EXPECT_EQ(bound.sources.layers.size(), 1u);
  EXPECT_EQ(bound.sources.layers[0].qkv.parts.size(), 3u);
  EXPECT_EQ(bound.sources.head.parts.size(), 1u);
}

TEST(Bind, NamesAnyTensorThatIsMissing) {
  for (const TensorToWrite& t : sound()) {
    const Error error = refused(config(), without(t.name));
    EXPECT_EQ(error.code(), Code::kInput) << t.name;
    EXPECT_EQ(exit_code(error.code()), 5);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("\"" + t.name + "\""), HasSubstr("not in the checkpoint")));
  }
}

TEST(Bind, NamesAnyTensorOfAnotherShapeWithBothShapes) {
  for (const TensorToWrite& t : sound()) {
    Tensors tensors = sound();
    std::vector<int64_t> shape = t.shape;
    ++shape[0];
    for (TensorToWrite& other : tensors) {
      if (other.name == t.name) other = tensor(t.name, shape);
    }
    const Error error = refused(config(), tensors);
    EXPECT_EQ(error.code(), Code::kShape) << t.name;
    EXPECT_EQ(exit_code(error.code()), 5);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("\"" + t.name + "\""),
                      HasSubstr("found " + to_string(shape) + ", need " + to_string(t.shape))));
  }
}

TEST(Bind, NamesTensorsThatNothingTakes) {
  for (const std::string name : {"model.layers.0.self_attn.q_proj.bias",
                                 "model.layers.1.input_layernorm.weight",
                                 "model.layers.0.self_attn.q_proj.lora_A.weight"}) {
    Tensors tensors = sound();
    tensors.push_back(tensor(name, {4}));
    const Error error = refused(config(), tensors);
    EXPECT_EQ(error.code(), Code::kInput) << name;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("left over"), HasSubstr("\"" + name + "\"")));
  }
  // Buffers that transformers once stored say nothing that the configuration does not.
  Tensors tensors = sound();
  tensors.push_back(tensor("model.layers.0.self_attn.rotary_emb.inv_freq", {1}));
  EXPECT_NO_THROW(Bound(config(), tensors));
}

TEST(Bind, ListsAtMostFiveTensorsAndCountsTheRest) {
  Tensors tensors = sound();
  for (int i = 0; i < 8; ++i) tensors.push_back(tensor("extra" + std::to_string(i), {1}));
  EXPECT_THAT(refused(config(), tensors).what(),
              AllOf(HasSubstr("\"extra4\""), Not(HasSubstr("extra5")), HasSubstr("3 more")));
}

// What the configuration says decides, never what happens to be in the file.
TEST(Bind, NeedsTheBiasesThatTheConfigurationStates) {
  Json with_bias = config();
  with_bias["attention_bias"] = true;
  const Error error = refused(with_bias, sound());
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("_proj.bias\": not in the checkpoint"));
}

TEST(Bind, ATiedHeadMayBeWrittenASecondTimeAndCountsWhereItDiffers) {
  Json tied = config();
  tied["tie_word_embeddings"] = true;
  EXPECT_TRUE(Bound(tied, without("lm_head.weight")).sources.head.empty());
  Tensors twice = without("lm_head.weight");
  twice.push_back(twice[0]);
  twice.back().name = "lm_head.weight";
  EXPECT_TRUE(Bound(tied, twice).sources.head.empty());
  EXPECT_FALSE(Bound(tied, sound()).sources.head.empty());
}

TEST(Bind, ReadsACheckpointOfTheBaseModelWithoutItsPrefix) {
  Tensors tensors = sound();
  for (TensorToWrite& t : tensors) {
    if (t.name.starts_with("model.")) t.name.erase(0, 6);
  }
  EXPECT_NO_THROW(Bound(config(), tensors));
}

// Rows of q and k come back in the order of halves, whatever order GGUF has them in.
TEST(Bind, PutsPermutedRowsOfGgufBack) {
  const TestFolder folder;
  GgufWriter w;
  w.text("general.architecture", "llama");
  w.u32("llama.block_count", 1);
  w.u32("llama.embedding_length", 4);
  w.u32("llama.feed_forward_length", 3);
  w.u32("llama.attention.head_count", 1);
  w.u32("llama.context_length", 16);
  w.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  w.tensor(tensor("token_embd.weight", {kVocab, 4}));
  w.tensor(tensor("output_norm.weight", {4}));
  const std::string layer = "blk.0.";
  w.tensor(tensor(layer + "attn_norm.weight", {4}));
  w.tensor(tensor(layer + "ffn_norm.weight", {4}));
  // Row r begins with 4 r: stored 0 1 2 3 stands for rows 0 2 1 3 of the original.
  for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
    w.tensor(tensor(layer + name + ".weight", {4, 4}));
  }
  w.tensor(tensor(layer + "ffn_gate.weight", {3, 4}));
  w.tensor(tensor(layer + "ffn_up.weight", {3, 4}));
  w.tensor(tensor(layer + "ffn_down.weight", {4, 3}));
  const auto checkpoint = Checkpoint::open(folder.write("m.gguf", w.bytes()).string());
  const Family& family = family_of(*checkpoint);
  const ModelSources sources = bind(family, describe(family, *checkpoint), *checkpoint);
  const auto rows = [&](const MatrixSource& part) {
    std::vector<int> first;
    for (const MatrixSource::Piece& piece : part.pieces) {
      for (int64_t r = 0; r < piece.rows; ++r) {
        float value = 0;
        std::memcpy(&value, piece.data + r * piece.row_stride_bytes, sizeof value);
        first.push_back(static_cast<int>(value) / 4);
      }
    }
    return first;
  };
  const auto& parts = sources.layers[0].qkv.parts;
  EXPECT_EQ(rows(parts.at(0)), (std::vector<int>{0, 2, 1, 3}));
  EXPECT_EQ(rows(parts.at(1)), (std::vector<int>{0, 2, 1, 3}));
  EXPECT_EQ(rows(parts.at(2)), (std::vector<int>{0, 1, 2, 3}));
}

// q, k and v out of one tensor: row r begins with its own number.
TEST(Bind, SplitsFusedTensorsByTheirLayout) {
  // Two query heads of two elements round one key head.
  const Json internlm2{{"model_type", "internlm2"},
                       {"hidden_size", 4},
                       {"intermediate_size", 3},
                       {"num_hidden_layers", 1},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"vocab_size", kVocab},
                       {"bias", false}};
  const Tensors tensors = {tensor("model.tok_embeddings.weight", {kVocab, 4}),
                           tensor("model.norm.weight", {4}),
                           tensor("output.weight", {kVocab, 4}),
                           tensor("model.layers.0.attention_norm.weight", {4}),
                           tensor("model.layers.0.ffn_norm.weight", {4}),
                           tensor("model.layers.0.attention.wqkv.weight", {8, 4}),
                           tensor("model.layers.0.attention.wo.weight", {4, 4}),
                           tensor("model.layers.0.feed_forward.w1.weight", {3, 4}),
                           tensor("model.layers.0.feed_forward.w3.weight", {3, 4}),
                           tensor("model.layers.0.feed_forward.w2.weight", {4, 3})};
  const Bound bound(internlm2, tensors);
  const auto& parts = bound.sources.layers[0].qkv.parts;
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(static_cast<int>(first_value(parts[0])) / 4, 0);
  EXPECT_EQ(parts[0].rows(), 4);
  EXPECT_EQ(static_cast<int>(first_value(parts[1])) / 4, 4);
  EXPECT_EQ(parts[1].rows(), 2);
  EXPECT_EQ(static_cast<int>(first_value(parts[2])) / 4, 6);
  EXPECT_EQ(parts[2].rows(), 2);
}

}  // namespace
}  // namespace keju
