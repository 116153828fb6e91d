// SPDX-License-Identifier: MIT
// The language model of a multimodal checkpoint: read through "text_config", in both layouts of its
// tensors, and as strictly as any other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "model/family.h"
#include "tests/model/run_model.h"
#include "tests/support/checkpoint_writer.h"
#include "tests/weights/test_files.h"

namespace keju {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kModel = "tests/fixtures/models/gemma3-multimodal";
constexpr std::string_view kInside = "language_model.model.";

// The committed checkpoint with every tensor's name passed through `rename`, and one more where
// `extra` is not empty.
void write_renamed(const TestFolder& folder,
                   const std::function<std::string(std::string)>& rename,
                   const std::string& extra = "") {
  const auto checkpoint = Checkpoint::open(kModel);
  std::vector<TensorToWrite> tensors;
  for (const StoredTensor& t : checkpoint->tensors()) {
    tensors.push_back({.name = rename(t.name),
                       .dtype = t.dtype,
                       .shape = t.shape,
                       .data = {reinterpret_cast<const char*>(t.data), t.bytes}});
  }
  if (!extra.empty()) tensors.push_back({.name = extra, .shape = {1}, .data = f32_bytes({1})});
  folder.write("config.json", checkpoint->config().dump());
  folder.write("model.safetensors", safetensors_file(tensors));
}

// transformers 4.52 and later hold the tensors under these names.
std::string within(std::string name) {
  if (name.starts_with(kInside)) return "model.language_model." + name.substr(kInside.size());
  return "model." + name;
}

std::string same(std::string name) { return name; }

Error load_error(const TestFolder& folder) {
  return error_of([&] { RunModel model(folder.path().string()); });
}

Descriptor describe_config(const Json& config) {
  const TestFolder folder;
  folder.write("config.json", config.dump());
  folder.write("model.safetensors", safetensors_file(std::vector<TensorToWrite>{}));
  const auto checkpoint = Checkpoint::open(folder.path().string());
  return describe(family_of(*checkpoint), *checkpoint);
}

TEST(Multimodal, BothLayoutsAgreeWithTransformers) {
  const Json expected = read_json(kModel + "/expected.json");
  for (const auto& rename : {same, within}) {
    const TestFolder folder;
    write_renamed(folder, rename);
    RunModel model(folder.path().string());
    EXPECT_EQ(model.descriptor().family, "gemma3");
    const Distance worst = distance(model, expected);
    EXPECT_LE(worst.logit, expected["max_abs_logit_error"].get<double>());
    EXPECT_LE(worst.logprob, 2e-4);
  }
}

TEST(Multimodal, NamesWhatItLeavesAside) {
  const RunModel model(kModel);
  const Descriptor& d = model.descriptor();
  EXPECT_THAT(d.left_aside, ElementsAre("vision_tower.", "multi_modal_projector."));
  EXPECT_THAT(d.to_json()["left_aside"].dump(), HasSubstr("vision_tower."));
  EXPECT_TRUE(d.leaves_aside("vision_tower.embeddings.patch_embedding.weight"));
  EXPECT_TRUE(d.leaves_aside("model.vision_tower.post_layernorm.bias"));
  EXPECT_FALSE(d.leaves_aside("language_model.model.norm.weight"));
  EXPECT_FALSE(d.leaves_aside("language_model.vision_tower.x"));
}

TEST(Multimodal, LoadsAsStrictlyAsAnyOther) {
  for (const char* extra : {"language_model.model.layers.0.self_attn.q_proj.bias",
                            "audio_tower.weight",
                            "model.layers.0.mlp.up_proj.weight"}) {
    const TestFolder folder;
    write_renamed(folder, same, extra);
    const Error error = load_error(folder);
    EXPECT_EQ(error.code(), Code::kInput) << extra;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("left over"), HasSubstr(extra)));
  }
  const TestFolder missing;
  write_renamed(missing, [](std::string name) {
    return name == "language_model.model.norm.weight" ? "vision_tower.norm.weight" : name;
  });
  EXPECT_THAT(load_error(missing).what(), HasSubstr("language_model.model.norm.weight"));
}

// What is left aside in a multimodal checkpoint is left over in one of text.
TEST(Multimodal, LeavesNothingAsideInAModelOfText) {
  const TestFolder folder;
  write_renamed(folder, [](std::string name) {
    return name.starts_with("language_model.") ? name.substr(15) : name;
  });
  Json config = Checkpoint::open(kModel)->config()["text_config"];
  folder.write("config.json", config.dump());
  const Error error = load_error(folder);
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("left over"), HasSubstr("multi_modal_projector")));
}

// Published configurations write only what differs from the class: here 4B's text part, whose other
// figures are those of its tensors (8 query heads over 4 of 256, 262,208 rows of the embedding).
TEST(Multimodal, AbsentKeysAreTheClassesDefaults) {
  const Descriptor d =
      describe_config({{"model_type", "gemma3"},
                       {"text_config",
                        {{"hidden_size", 2560},
                         {"intermediate_size", 10240},
                         {"model_type", "gemma3_text"},
                         {"num_hidden_layers", 34},
                         {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                         {"sliding_window", 1024}}}});
  EXPECT_EQ(d.heads, 8);
  EXPECT_EQ(d.kv_heads, 4);
  EXPECT_EQ(d.k_size, 256);
  EXPECT_EQ(d.vocab, 262208);
  EXPECT_EQ(d.layer[0].window, 1024);
  EXPECT_EQ(d.layer[5].window, 0);
  EXPECT_EQ(d.ropes[0].scaling.kind, RopeScalingKind::kLinear);
  EXPECT_EQ(d.ropes[1].scaling.kind, RopeScalingKind::kNone);
  EXPECT_TRUE(d.tied_head);
}

Json small_text(const char* type) {
  return {{"model_type", type},
          {"hidden_size", 32},
          {"intermediate_size", 32},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"max_position_embeddings", 64},
          {"vocab_size", 50}};
}

TEST(Multimodal, TextIsOfTheFamilyThatItSays) {
  const auto family = [](const char* type, const Json& text) {
    return describe_config({{"model_type", type}, {"text_config", text}}).family;
  };
  EXPECT_EQ(family("llava", small_text("llama")), "llama");
  EXPECT_EQ(family("llava", small_text("qwen2")), "qwen2");
  EXPECT_EQ(family("mistral3", small_text("mistral")), "mistral");
  const Error error = error_of([&] { family("mistral3", small_text("ministral3")); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("\"ministral3\""));
}

// Before 4.52 Qwen2-VL's text had no part of its own in the configuration.
TEST(Multimodal, FlatConfiguration) {
  Json config = small_text("qwen2_5_vl");
  config["rope_scaling"] = {{"type", "mrope"}, {"mrope_section", {1, 1, 2}}};
  config["vision_config"] = {{"depth", 1}};
  config["tie_word_embeddings"] = true;
  const Descriptor d = describe_config(config);
  EXPECT_EQ(d.family, "qwen2");
  EXPECT_TRUE(d.qkv_bias);
  EXPECT_TRUE(d.tied_head);
  EXPECT_EQ(d.ropes[0].scaling.kind, RopeScalingKind::kNone);
  EXPECT_THAT(d.left_aside, ElementsAre("visual."));
}

// A file's own error names where the key stands.
TEST(Multimodal, ErrorsNameTheTextsPart) {
  Json text = small_text("llama");
  text.erase("hidden_size");
  const Error error = error_of([&] {
    describe_config({{"model_type", "llava"}, {"text_config", text}});
  });
  EXPECT_THAT(error.what(), HasSubstr("config.json: text_config: hidden_size"));
}

}  // namespace
}  // namespace keju
