// SPDX-License-Identifier: MIT
// Rotary tables against float64 values of scripts/make_rope_tables.py, from both spellings of a
// configuration.
#include "model/rope_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "model/config.h"
#include "model/family.h"

namespace keju {
namespace {

// transformers 4's keys for what rope_parameters says.
Json old_spelling(Json config) {
  Json rope = config["rope_parameters"];
  config.erase("rope_parameters");
  config["rope_theta"] = rope["rope_theta"];
  rope.erase("rope_theta");
  rope["type"] = rope["rope_type"];
  rope.erase("rope_type");
  if (rope["type"] != "default") config["rope_scaling"] = rope;
  return config;
}

// A model of Qwen 1, whose rope follows from keys of its own.
Json qwen_config(const Json& test) {
  const auto head = test["head"].get<int64_t>();
  return {{"model_type", "qwen"},
          {"vocab_size", 8},
          {"hidden_size", head},
          {"intermediate_size", 8},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 1},
          {"kv_channels", head},
          {"seq_length", test["config"]["seq_length"]},
          {"use_dynamic_ntk", true}};
}

const Family& family_named(std::string_view name) {
  for (const Family* family : families()) {
    if (family->name == name) return *family;
  }
  throw std::runtime_error("no such family");
}

RopeTable table_of(const Json& test, const Rope& rope) {
  Descriptor d;
  d.ropes = {rope};
  const auto length = test["length"].get<int64_t>();
  const auto last = test["positions"].back().get<int64_t>();
  return make_rope_table(d.ropes[0], std::max(length, last + 1), d.rope_regime(length));
}

void expect_near(const RopeTable& table, const Json& test) {
  const size_t pairs = test["cos"][0].size();
  for (size_t row = 0; row < test["positions"].size(); ++row) {
    const auto p = test["positions"][row].get<size_t>();
    // An angle p·f is rounded to float32 three times on its way, and carries the error whole.
    const double tolerance = 1e-6 + 2e-7 * static_cast<double>(p);
    for (size_t i = 0; i < pairs; ++i) {
      ASSERT_NEAR(table.cos[p * pairs + i], test["cos"][row][i].get<double>(), tolerance)
          << "position " << p << " pair " << i;
      ASSERT_NEAR(table.sin[p * pairs + i], test["sin"][row][i].get<double>(), tolerance)
          << "position " << p << " pair " << i;
    }
  }
}

TEST(RopeTable, AgreesWithThePublishedFormulas) {
  const Json tests = read_json("tests/fixtures/rope_tables.json");
  ASSERT_GE(tests.size(), 15u);
  for (const Json& test : tests) {
    SCOPED_TRACE(test["name"].get<std::string>());
    if (test["config"].contains("model_type")) {
      const Descriptor d = family_named("qwen").from_config(qwen_config(test), "config.json");
      expect_near(table_of(test, d.ropes[0]), test);
      continue;
    }
    const auto head = test["head"].get<int64_t>();
    const Config config(test["config"], "config.json");
    const RopeTable table = table_of(test, rope_of(config, head));
    expect_near(table, test);
    const Json old = old_spelling(test["config"]);
    const RopeTable again = table_of(test, rope_of(Config(old, "config.json"), head));
    EXPECT_EQ(table.cos, again.cos);
    EXPECT_EQ(table.sin, again.sin);
  }
}

// Between two positions only the angle differs, so cos² + sin² is the square of the attention
// factor everywhere.
TEST(RopeTable, HasOneLengthEverywhere) {
  for (const Json& test : read_json("tests/fixtures/rope_tables.json")) {
    if (test["config"].contains("model_type")) continue;
    const Config config(test["config"], "config.json");
    const RopeTable t = table_of(test, rope_of(config, test["head"].get<int64_t>()));
    const double first = static_cast<double>(t.cos[0]) * static_cast<double>(t.cos[0]);
    for (size_t i = 0; i < t.cos.size(); ++i) {
      ASSERT_NEAR(std::hypot(t.cos[i], t.sin[i]), std::sqrt(first), 1e-6) << test["name"];
    }
  }
}

TEST(RopeRegime, SaysWhichLengthsMayShareKeys) {
  Descriptor d;
  d.ropes.resize(1);
  RopeScaling& s = d.ropes[0].scaling;
  s.original_context = 16;
  for (const auto kind : {RopeScalingKind::kNone,
                          RopeScalingKind::kLinear,
                          RopeScalingKind::kYarn,
                          RopeScalingKind::kLlama3}) {
    s.kind = kind;
    EXPECT_EQ(d.rope_regime(1000), 0);
  }
  s.kind = RopeScalingKind::kDynamicNtk;  // every length past the limit turns its own way
  EXPECT_EQ(d.rope_regime(16), 0);
  EXPECT_NE(d.rope_regime(17), d.rope_regime(18));
  s.kind = RopeScalingKind::kLongRope;  // two tables
  EXPECT_EQ(d.rope_regime(16), 0);
  EXPECT_NE(d.rope_regime(17), 0);
  EXPECT_EQ(d.rope_regime(17), d.rope_regime(4000));
  s.kind = RopeScalingKind::kQwenDynamicNtk;  // 2^ceil(log2(n / 16) + 1) - 1
  EXPECT_EQ(d.rope_regime(16), 0);
  EXPECT_EQ(d.rope_regime(17), 3);
  EXPECT_EQ(d.rope_regime(32), 3);
  EXPECT_EQ(d.rope_regime(33), 7);
  EXPECT_EQ(d.rope_regime(64), 7);
  EXPECT_EQ(d.rope_regime(65), 15);
}

}  // namespace
}  // namespace keju
