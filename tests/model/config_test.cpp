// SPDX-License-Identifier: MIT
#include "model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/temp_folder.h"

namespace keju {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Json llama(Json more = Json::object()) {
  Json config{{"hidden_size", 48},
              {"intermediate_size", 64},
              {"num_hidden_layers", 3},
              {"num_attention_heads", 6},
              {"num_key_value_heads", 2},
              {"vocab_size", 100},
              {"max_position_embeddings", 256}};
  config.update(more);
  return config;
}

Descriptor read(const Json& config, const ConfigDefaults& defaults = {}) {
  return common_descriptor(Config(config, "c.json"), "llama", defaults);
}

TEST(Config, ReadsWidthsAndWhatFollowsFromThem) {
  const Descriptor d = read(llama());
  EXPECT_EQ(d.layers, 3);
  EXPECT_EQ(d.width, 48);
  EXPECT_EQ(d.heads, 6);
  EXPECT_EQ(d.kv_heads, 2);
  EXPECT_EQ(d.k_size, 8);  // 48 / 6
  EXPECT_EQ(d.v_size, 8);
  EXPECT_DOUBLE_EQ(d.attention_scale * d.attention_scale * 8, 1);
  EXPECT_EQ(d.layer.size(), 3u);
  EXPECT_EQ(d.ropes.at(0).dim, 8);
  EXPECT_EQ(read(llama({{"head_dim", 20}})).k_size, 20);
  EXPECT_EQ(read(llama({{"head_dim", nullptr}}), {.head_size = 128}).k_size, 8);
}

// A key that is not written means the class's default; a null means "as the query heads".
TEST(Config, AbsentKeysAndNullsAreNotTheSame) {
  Json config = llama();
  config.erase("num_key_value_heads");
  EXPECT_EQ(read(config, {.kv_heads = 3}).kv_heads, 3);
  EXPECT_EQ(read(config).kv_heads, 6);
  config["num_key_value_heads"] = nullptr;
  EXPECT_EQ(read(config, {.kv_heads = 3}).kv_heads, 6);
}

TEST(Config, OtherFamiliesSpellTheSameKeysDifferently) {
  const Json config{
      {"n_embd", 24}, {"n_layer", 2}, {"n_head", 3}, {"n_positions", 64}, {"vocab_size", 9}};
  const Descriptor d = read(config, {.mlp_factor = 4});
  EXPECT_EQ(d.width, 24);
  EXPECT_EQ(d.layers, 2);
  EXPECT_EQ(d.heads, 3);
  EXPECT_EQ(d.mlp_width, 96);
  EXPECT_EQ(d.context_length, 64);
}

TEST(Config, NamesAMissingKeyAndAWrongType) {
  Json config = llama();
  config.erase("hidden_size");
  Error error = error_of([&] { read(config); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("c.json: hidden_size: not there"));
  struct Wrong {
    const char* key;
    Json value;
    const char* need;
  };
  for (const Wrong& wrong : {Wrong{"vocab_size", "many", "an integer"},
                             Wrong{"rms_norm_eps", "small", "a number"},
                             Wrong{"tie_word_embeddings", 1, "true or false"},
                             Wrong{"hidden_act", 7, "a string"},
                             Wrong{"rope_scaling", "linear", "an object"}}) {
    error = error_of([&] { read(llama({{wrong.key, wrong.value}})); });
    EXPECT_EQ(error.code(), Code::kInput) << wrong.key;
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr(wrong.key), HasSubstr(wrong.value.dump()), HasSubstr(wrong.need)));
  }
}

TEST(Config, RefusesActivationsAndRopeTypesByName) {
  Error error = error_of([] { read(llama({{"hidden_act", "snake"}})); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_EQ(exit_code(error.code()), 6);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("activation"), HasSubstr("\"snake\"")));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    for (const char* name : {"type", "rope_type"}) {
      error = error_of([&] { read(llama({{key, {{name, "spiral"}, {"factor", 2.0}}}})); });
      EXPECT_EQ(error.code(), Code::kUnsupported) << key;
      EXPECT_THAT(error.what(), AllOf(HasSubstr("rope type"), HasSubstr("\"spiral\"")));
    }
  }
}

TEST(Config, ScaledRopeNeedsItsNumbers) {
  Error error = error_of([] { read(llama({{"rope_scaling", {{"type", "linear"}}}})); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("factor"));
  const Json longrope{{"type", "longrope"},
                      {"short_factor", {1.0, 1.0}},
                      {"long_factor", {1.0, 1.0, 1.0, 1.0}},
                      {"original_max_position_embeddings", 64}};
  error = error_of([&] { read(llama({{"rope_scaling", longrope}})); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("short_factor: found 2 entries, need 4"));
}

// The configuration's own original context goes before the rope settings'.
TEST(Config, OriginalContext) {
  const Json yarn{{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}};
  EXPECT_EQ(read(llama({{"rope_scaling", yarn}})).ropes[0].scaling.original_context, 64);
  const Json both = llama({{"rope_scaling", yarn}, {"original_max_position_embeddings", 32}});
  EXPECT_EQ(read(both).ropes[0].scaling.original_context, 32);
}

TEST(Config, LayerTypes) {
  const Json config =
      llama({{"layer_types", {"full_attention", "sliding_attention", "full_attention"}}});
  Descriptor d = read(config);
  apply_layer_types(Config(config, "c.json"), 12, d, [](int64_t) { return true; });
  EXPECT_EQ(d.layer[0].window, 0);
  EXPECT_EQ(d.layer[1].window, 12);
  EXPECT_EQ(d.layer[2].window, 0);
  const Json chunked = llama({{"layer_types", {"full_attention", "chunked", "full_attention"}}});
  Error error = error_of(
      [&] { apply_layer_types(Config(chunked, "c.json"), 12, d, [](int64_t) { return true; }); });
  EXPECT_EQ(error.code(), Code::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("\"chunked\""));
  const Json few = llama({{"layer_types", {"full_attention"}}});
  error = error_of(
      [&] { apply_layer_types(Config(few, "c.json"), 12, d, [](int64_t) { return true; }); });
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_THAT(error.what(), HasSubstr("layer_types: found 1 entries, need 3"));
}

// transformers writes int(head · factor), and rotates one more element where that is odd.
TEST(Config, PartialRotary) {
  Rope rope;
  set_partial_rotary(rope, 16, 0.25);
  EXPECT_EQ(rope.dim, 4);
  set_partial_rotary(rope, 10, 0.5);
  EXPECT_EQ(rope.span, 5);
  EXPECT_EQ(rope.dim, 6);
}

TEST(Descriptor, RefusesSettingsThatContradictEachOther) {
  const auto refused = [](const char* what, auto change) {
    Descriptor d = read(llama());
    d.validate("c.json");  // sound before the change
    change(d);
    const Error error = error_of([&] { d.validate("c.json"); });
    EXPECT_EQ(error.code(), Code::kInput) << what;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("c.json: "), HasSubstr(what), HasSubstr("need ")));
  };
  refused("layers", [](Descriptor& d) { d.layers = 0; });
  refused("layers", [](Descriptor& d) { d.layers = int64_t{1} << 40; });
  refused("hidden size", [](Descriptor& d) { d.width = -1; });
  refused("key-value heads: found 4", [](Descriptor& d) { d.kv_heads = 4; });
  refused("head size", [](Descriptor& d) { d.k_size = 0; });
  refused("vocabulary", [](Descriptor& d) { d.vocab = 0; });
  refused("layer settings", [](Descriptor& d) { d.layer.pop_back(); });
  refused("rotary dimensions: found 10", [](Descriptor& d) { d.ropes[0].dim = 10; });
  refused("rope theta", [](Descriptor& d) { d.ropes[0].theta = 0; });
  refused("rope index", [](Descriptor& d) { d.layer[1].rope = 5; });
  refused("rope scaling", [](Descriptor& d) {
    d.ropes[0].scaling.kind = RopeScalingKind::kLinear;
    d.ropes[0].scaling.factor = 0;
  });
  refused("experts", [](Descriptor& d) { d.layer[0].moe = true; });
  refused("experts per token",
          [](Descriptor& d) { d.moe = {.experts = 4, .chosen = 5, .width = 8}; });
  refused("expert groups", [](Descriptor& d) {
    d.moe = {.experts = 4, .chosen = 1, .width = 8};
    d.moe.route.groups = 3;
  });
}

}  // namespace
}  // namespace keju
