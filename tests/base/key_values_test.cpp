// SPDX-License-Identifier: MIT
#include "base/key_values.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace keju {
namespace {

KeyValues example() {
  KeyValues values("m.gguf");
  values.set("general.name", std::string("tiny"));
  values.set("llama.block_count", int64_t{2});
  values.set("llama.rope.freq_base", 10000.0);
  values.set("add_bos", true);
  values.set("tokens", std::vector<std::string>{"a", "b"});
  values.set("types", std::vector<int64_t>{1, 2});
  values.set("scores", std::vector<double>{0.5});
  return values;
}

template <typename Call>
std::string input_error(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInput);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(KeyValues, ArraysUnderAPrefixGo) {
  KeyValues values = example();
  values.set("tokens.first", std::string("a"));
  values.erase_arrays("t");
  EXPECT_FALSE(values.has("tokens"));
  EXPECT_FALSE(values.has("types"));
  EXPECT_TRUE(values.has("tokens.first"));
  EXPECT_TRUE(values.has("scores"));
  EXPECT_EQ(values.all().size(), 6u);
}

TEST(KeyValues, TypedGetters) {
  const KeyValues values = example();
  EXPECT_EQ(values.string("general.name"), "tiny");
  EXPECT_EQ(values.integer("llama.block_count"), 2);
  EXPECT_EQ(values.number("llama.rope.freq_base"), 10000.0);
  EXPECT_EQ(values.number("llama.block_count"), 2.0);
  EXPECT_TRUE(values.boolean("add_bos"));
  EXPECT_EQ(values.strings("tokens"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(values.integers("types"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(values.numbers("scores"), (std::vector<double>{0.5}));
  EXPECT_TRUE(values.has("tokens"));
  EXPECT_EQ(values.find("absent"), nullptr);
  ASSERT_NE(values.find("add_bos"), nullptr);
}

TEST(KeyValues, OptionalGetters) {
  const KeyValues values = example();
  EXPECT_EQ(values.maybe_string("absent"), std::nullopt);
  EXPECT_EQ(values.maybe_integer("absent"), std::nullopt);
  EXPECT_EQ(values.maybe_number("absent"), std::nullopt);
  EXPECT_EQ(values.maybe_boolean("absent"), std::nullopt);
  EXPECT_EQ(values.maybe_string("general.name"), "tiny");
  EXPECT_EQ(values.maybe_integer("llama.block_count"), 2);
  EXPECT_EQ(values.maybe_number("llama.block_count"), 2.0);
  EXPECT_EQ(values.maybe_boolean("add_bos"), true);
  EXPECT_THROW(values.maybe_integer("general.name"), Error);
}

TEST(KeyValues, ErrorsNameKeyFoundAndNeed) {
  const KeyValues values = example();
  EXPECT_EQ(input_error([&] { values.integer("general.name"); }),
            "m.gguf: general.name: found string, need integer");
  EXPECT_EQ(input_error([&] { values.integer("llama.rope.freq_base"); }),
            "m.gguf: llama.rope.freq_base: found float, need integer");
  EXPECT_EQ(input_error([&] { values.strings("types"); }),
            "m.gguf: types: found array of integer, need array of string");
  EXPECT_EQ(input_error([&] { values.number("add_bos"); }),
            "m.gguf: add_bos: found bool, need number");
  EXPECT_EQ(input_error([&] { values.integer("llama.blok_count"); }),
            "m.gguf: llama.blok_count: found nothing, need integer; did you mean "
            "\"llama.block_count\"?");
}

}  // namespace
}  // namespace keju
