// SPDX-License-Identifier: MIT
// What no family can run is refused by its name, before any weight is read: the checkpoints here
// hold none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"
#include "kernels/cpu/cpu_backend.h"
#include "model/family.h"
#include "model/model.h"
#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"

namespace keju {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Error load_error_of(const std::filesystem::path& path) {
  const auto backend =
      make_cpu_backend({.threads = 1, .isa = "plain", .mode = NumericMode::kExact});
  return error_of([&] { Model::load(Checkpoint::open(path.string()), *backend); });
}

Error load_error(const Json& config) {
  const TestFolder folder;
  folder.write("config.json", config.dump());
  folder.write("model.safetensors", safetensors_file(std::vector<TensorToWrite>{}));
  return load_error_of(folder.path());
}

void expect_unsupported(const Error& error, const std::string& what, const std::string& name) {
  EXPECT_EQ(error.code(), Code::kUnsupported) << error.what();
  EXPECT_EQ(exit_code(error.code()), 6);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(what), HasSubstr(name), HasSubstr("found ")));
}

Json small(const std::string& type, const Json& more) {
  Json config{{"model_type", type},
              {"hidden_size", 32},
              {"intermediate_size", 32},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 4},
              {"num_key_value_heads", 2},
              {"vocab_size", 50},
              {"num_experts_per_tok", 2},
              {"num_layers", 2},
              {"ffn_hidden_size", 32},
              {"max_position_embeddings", 64}};
  config.update(more);
  return config;
}

TEST(Families, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names, types, gguf;
  for (const Family* family : families()) {
    EXPECT_TRUE(names.insert(family->name).second) << family->name;
    EXPECT_FALSE(family->model_types.empty()) << family->name;
    for (const auto type : family->model_types) EXPECT_TRUE(types.insert(type).second) << type;
    for (const auto name : family->gguf_names) EXPECT_TRUE(gguf.insert(name).second) << name;
    EXPECT_EQ(family->gguf_names.empty(), family->from_gguf == nullptr) << family->name;
  }
}

TEST(Unsupported, Architectures) {
  expect_unsupported(load_error({{"model_type", "mamba"}}), "architecture", "\"mamba\"");
  expect_unsupported(
      load_error({{"architectures", {"RwkvForCausalLM"}}}), "architecture", "\"RwkvForCausalLM\"");
  GgufWriter w;
  w.text("general.architecture", "mamba");
  const TestFolder folder;
  expect_unsupported(load_error_of(folder.write("m.gguf", w.bytes())), "architecture", "\"mamba\"");
}

// A derivative with a type of its own is what its architecture says.
TEST(Families, AreKnownByArchitectureWhereTheTypeIsNew) {
  const TestFolder folder;
  folder.write("config.json", R"({"model_type":"mi_lm","architectures":["LlamaForCausalLM"]})");
  folder.write("model.safetensors", safetensors_file(std::vector<TensorToWrite>{}));
  EXPECT_EQ(family_of(*Checkpoint::open(folder.path().string())).name, "llama");
}

TEST(Unsupported, ActivationsOfEveryFamilyThatReadsOne) {
  for (const char* type :
       {"llama", "qwen2", "qwen3", "phi3", "mixtral", "glm4", "baichuan", "internlm2", "minicpm"}) {
    expect_unsupported(
        load_error(small(type, {{"hidden_act", "snake"}})), "activation", "\"snake\"");
  }
  expect_unsupported(
      load_error(small("gemma2", {{"hidden_activation", "snake"}})), "activation", "\"snake\"");
  expect_unsupported(
      load_error(small("gpt2", {{"activation_function", "snake"}})), "activation", "\"snake\"");
}

TEST(Unsupported, RopeTypes) {
  for (const char* type : {"llama", "qwen2", "gemma2", "deepseek_v2", "gpt_neox", "internlm2"}) {
    expect_unsupported(
        load_error(small(type, {{"rope_scaling", {{"rope_type", "spiral"}, {"factor", 2.0}}}})),
        "rope type",
        "\"spiral\"");
  }
  expect_unsupported(
      load_error(small("internlm", {{"rotary", {{"type", "spiral"}}}})), "rope type", "\"spiral\"");
  GgufWriter w;
  w.text("general.architecture", "llama");
  for (const char* key :
       {"block_count", "embedding_length", "attention.head_count", "feed_forward_length"}) {
    w.u32("llama." + std::string(key), 8);
  }
  w.text("llama.rope.scaling.type", "spiral");
  const TestFolder folder;
  expect_unsupported(
      load_error_of(folder.write("m.gguf", w.bytes())), "rope.scaling.type", "\"spiral\"");
}

TEST(Unsupported, Quantisations) {
  for (const char* method : {"gptq", "awq", "fp8", "mxfp4", "bitsandbytes"}) {
    expect_unsupported(
        load_error(small("llama", {{"quantization_config", {{"quant_method", method}}}})),
        "quantization",
        std::string("\"") + method + "\"");
  }
  expect_unsupported(
      load_error(small("chatglm", {{"quantization_bit", 4}})), "quantization_bit", "4");
  // Types of GGUF tensors that keju cannot read are named too.
  GgufWriter w;
  w.text("general.architecture", "llama");
  w.tensor_header("t", {256, 1}, 16, 0);
  w.data(std::string(256, 0));
  const TestFolder folder;
  expect_unsupported(load_error_of(folder.write("m.gguf", w.bytes())), "\"t\"", "IQ2_XXS");
}

TEST(Unsupported, OptionsOfAFamily) {
  expect_unsupported(load_error(small("falcon", {{"alibi", true}})), "alibi", "true");
  expect_unsupported(load_error(small("chatglm", {{"pre_seq_len", 128}})), "pre_seq_len", "prefix");
  expect_unsupported(
      load_error(small("chatglm", {{"position_encoding_2d", true}})), "architecture", "ChatGLM 1");
  expect_unsupported(
      load_error(small("deepseek_v2", {{"topk_method", "magic"}})), "topk_method", "\"magic\"");
  expect_unsupported(load_error(small("deepseek_v3", {{"scoring_func", "softmax"}})),
                     "scoring_func",
                     "\"softmax\"");
  expect_unsupported(
      load_error(small("deepseek_v3", {{"moe_layer_freq", 2}})), "moe_layer_freq", "2");
  expect_unsupported(load_error(small("gemma2", {{"use_bidirectional_attention", true}})),
                     "use_bidirectional_attention",
                     "true");
  expect_unsupported(load_error(small("minicpm", {{"num_experts", 8}})), "num_experts", "mixture");
}

TEST(Unsupported, FamiliesWithoutAGgufFormSayWhatTheyNeed) {
  for (const Family* family : families()) {
    if (family->from_gguf != nullptr) continue;
    const TestFolder folder;
    GgufWriter w;
    w.text("general.architecture", std::string(family->name));
    const Error error = load_error_of(folder.write("m.gguf", w.bytes()));
    EXPECT_EQ(error.code(), Code::kUnsupported) << family->name;
  }
}

}  // namespace
}  // namespace keju
