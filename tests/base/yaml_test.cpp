// SPDX-License-Identifier: MIT
#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace keju {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

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

std::string refusal(std::string_view text) {
  return input_error([&] { Yaml::parse(text, "x.yaml"); });
}

Yaml parse(std::string_view text) { return Yaml::parse(text, "x.yaml"); }

TEST(Yaml, ReadsATree) {
  const Yaml root = parse(R"(# a suite
name: tiny
shots: 5
rate: 1e-3
on: true
none:
tilde: ~
quoted: "5"
tasks:
  - one
  - name: two
    stop: ["\n", 'a''b']
text: |
  two
  lines
empty: []
)");
  EXPECT_EQ(root.kind(), Yaml::Kind::kMap);
  EXPECT_EQ(root.at(), "x.yaml:2");
  EXPECT_EQ(root.get("name").text(), "tiny");
  EXPECT_EQ(root.get("shots").integer(), 5);
  EXPECT_EQ(root.get("shots").number(), 5.0);
  EXPECT_EQ(root.get("shots").text(), "5");
  EXPECT_EQ(root.get("rate").number(), 1e-3);
  EXPECT_TRUE(root.get("on").boolean());
  EXPECT_TRUE(root.get("none").is_null());
  EXPECT_EQ(root.get("none").at(), "x.yaml:6");
  EXPECT_TRUE(root.get("tilde").is_null());
  EXPECT_TRUE(root.get("quoted").quoted());
  EXPECT_EQ(root.get("quoted").text(), "5");
  const std::vector<Yaml>& tasks = root.get("tasks").list();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].text(), "one");
  EXPECT_EQ(tasks[1].at(), "x.yaml:11");
  EXPECT_EQ(tasks[1].get("stop").list()[0].text(), "\n");
  EXPECT_EQ(tasks[1].get("stop").list()[1].text(), "a'b");
  EXPECT_EQ(root.get("text").text(), "two\nlines\n");
  EXPECT_TRUE(root.get("text").quoted());
  EXPECT_TRUE(root.get("empty").list().empty());
  EXPECT_EQ(root.find("absent"), nullptr);
  EXPECT_EQ(root.items().front().first, "name");
  EXPECT_EQ(root.items().size(), 10u);
}

TEST(Yaml, BlockTextsAtTheEndKeepTheirBreaks) {
  EXPECT_EQ(parse("q: 'x'\na: |\n  b\n").get("a").text(), "b\n");
  EXPECT_EQ(parse("q: 'x'\na: |-\n  b\n").get("a").text(), "b");
  EXPECT_EQ(parse("q: 'x'\na: |+\n  b\n\n").get("a").text(), "b\n\n");
  EXPECT_EQ(parse("q: 'x'\na: |\n  it's\n").get("a").text(), "it's\n");
}

TEST(Yaml, EscapesAreUtf8) {
  const Yaml root = Yaml::parse("a: \"x\\_y\\N\\u00e9\\L\"\nb: !!null \"null\"\n", "t");
  EXPECT_EQ(root.get("a").text(), "x\xC2\xA0y\xC2\x85\xC3\xA9\xE2\x80\xA8");
  EXPECT_EQ(root.find("b")->kind(), Yaml::Kind::kNull);
}

TEST(Yaml, EmptyTextIsNull) {
  EXPECT_TRUE(parse("").is_null());
  EXPECT_TRUE(parse("# nothing\n").is_null());
  EXPECT_EQ(input_error([] { parse("").items(); }), "x.yaml:1: found nothing, need a map");
}

TEST(Yaml, ComplaintsCarryFileLineAndKey) {
  const Yaml root = Yaml::parse("name: x\n\nshots: five\nlist: [1, two]\n", "suites/x.yaml");
  EXPECT_EQ(input_error([&] { root.get("shots").integer(); }),
            "suites/x.yaml:3: shots: found \"five\", need an integer");
  EXPECT_EQ(input_error([&] { root.get("list").list()[1].integer(); }),
            "suites/x.yaml:4: list[1]: found \"two\", need an integer");
  EXPECT_EQ(input_error([&] { root.get("list").text(); }),
            "suites/x.yaml:4: list: found a list, need a text");
  EXPECT_EQ(input_error([&] { root.get("shots").list(); }),
            "suites/x.yaml:3: shots: found \"five\", need a list");
  EXPECT_EQ(input_error([&] { root.list(); }), "suites/x.yaml:1: found a map, need a list");
  EXPECT_THAT(input_error([&] { root.get("shtos"); }),
              StartsWith("suites/x.yaml:1: shtos: found nothing, need a value; did you mean"));
}

TEST(Yaml, OnlyRefusesUnknownKeys) {
  const Yaml root = parse("name: x\nshtos: 5\n");
  EXPECT_EQ(input_error([&] {
              root.only({"name", "shots"});
            }),
            "x.yaml:2: key: unknown \"shtos\"; did you mean \"shots\"? Known: name, shots");
  root.only({"shtos", "name"});
}

TEST(Yaml, Integers) {
  const auto integer = [](std::string_view text) { return parse(text).integer(); };
  EXPECT_EQ(integer("0"), 0);
  EXPECT_EQ(integer("-5"), -5);
  EXPECT_EQ(integer("+5"), 5);
  EXPECT_EQ(integer("9223372036854775807"), INT64_MAX);
  for (const char* bad : {"9223372036854775808",
                          "5.0",
                          "1e3",
                          "0x10",
                          "0o7",
                          "007",
                          "-07",
                          "1_000",
                          "\"5\"",
                          "'5'",
                          "+-5",
                          "-",
                          "+",
                          "true",
                          "~",
                          "[5]",
                          "5 6"}) {
    EXPECT_THAT(input_error([&] { integer(bad); }), HasSubstr("need an integer")) << bad;
  }
}

TEST(Yaml, Numbers) {
  const auto number = [](std::string_view text) { return parse(text).number(); };
  EXPECT_EQ(number("0.25"), 0.25);
  EXPECT_EQ(number("-1e-5"), -1e-5);
  EXPECT_EQ(number("+3"), 3.0);
  for (const char* bad : {"inf", ".inf", "nan", ".nan", "1e999", "\"1.5\"", "1.5x", "0x1p3", "~"}) {
    EXPECT_THAT(input_error([&] { number(bad); }), HasSubstr("need a number")) << bad;
  }
}

TEST(Yaml, Booleans) {
  EXPECT_TRUE(parse("true").boolean());
  EXPECT_FALSE(parse("false").boolean());
  for (const char* bad : {"yes", "no", "True", "on", "1", "\"true\"", "~", "[]"}) {
    EXPECT_THAT(input_error([&] { parse(bad).boolean(); }), HasSubstr("need true or false")) << bad;
  }
}

TEST(Yaml, RefusesAnchorsAliasesAndTags) {
  EXPECT_THAT(refusal("a: &x 1\nb: 2\n"), StartsWith("x.yaml:1: found an anchor"));
  EXPECT_THAT(refusal("a: 1\nb: &x [1]\n"), StartsWith("x.yaml:2: found an anchor"));
  EXPECT_THAT(refusal("a: &x\n"), HasSubstr("found an anchor"));
  EXPECT_THAT(refusal("&x a: 1\n"), HasSubstr("found an anchor"));
  EXPECT_THAT(refusal("a: 1\nb: *x\n"), StartsWith("x.yaml:2: found a"));
  EXPECT_THAT(refusal("a: !!python/object 1\n"), HasSubstr("found the tag"));
  EXPECT_THAT(refusal("a: !mine {b: 1}\n"), HasSubstr("found the tag"));
  EXPECT_THAT(refusal("a: !!str 5\n"), HasSubstr("found the tag"));
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("found an anchor"));
}

TEST(Yaml, RefusesOddKeys) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"), "x.yaml:3: a: found it twice, need each key once");
  EXPECT_THAT(refusal("a: 1\n\"a\": 3\n"), HasSubstr("found it twice"));
  EXPECT_THAT(refusal("[a]: 1\n"), HasSubstr("as a key"));
  EXPECT_THAT(refusal("? {a: b}\n: 1\n"), HasSubstr("as a key"));
  EXPECT_THAT(refusal("~: 1\n"), HasSubstr("an empty key"));
}

TEST(Yaml, RefusesFaultyText) {
  EXPECT_THAT(refusal("a: 1\nb: [1, 2\n"), HasSubstr("need valid YAML"));
  EXPECT_THAT(refusal("a: 1\n b: 2\n"), StartsWith("x.yaml:2: found a fault"));
  for (const char* open : {"a: \"x", "a: \"x\n", "a: 'x\n", "a: \"x\n\n\n", "a: \"x\nb: 1\n"}) {
    EXPECT_THAT(refusal(open), HasSubstr("need valid YAML")) << open;
  }
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"), HasSubstr("found a second document, need one"));
  EXPECT_EQ(refusal("a: 1\nb: \xFF\n"), "x.yaml:2: found bytes that are not UTF-8, need UTF-8");
  EXPECT_THAT(refusal(std::string("a: 1\n\x04") + "b: 2\n"), HasSubstr("U+0004"));
  EXPECT_THAT(refusal(std::string("a: 1\n\0b: 2", 11)), HasSubstr("U+0000"));
}

TEST(Yaml, RefusesWhatIsTooLargeOrTooDeep) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_NO_THROW(parse(nested(64)));
  EXPECT_THAT(refusal(nested(65)), HasSubstr("more than 64 levels"));
  EXPECT_THAT(refusal(nested(5000)), HasSubstr("more than 64 levels"));
  EXPECT_THAT(refusal(std::string((16 << 20) + 1, '#')), HasSubstr("need at most 16777216"));
}

TEST(Yaml, LoadNamesTheFile) {
  try {
    Yaml::load("/nonexistent/x.yaml");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kIo);
  }
}

}  // namespace
}  // namespace keju
