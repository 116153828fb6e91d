// SPDX-License-Identifier: MIT
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "tests/support/require.h"

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
  return input_error([&] { parse_json(text, "x.json"); });
}

std::string nested(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(Json, KeepsOrderAndKinds) {
  const Json value = parse_json(
      R"({"z": 1, "a": -9223372036854775808, "m": 18446744073709551615, "f": 1.0, "e": 1e2,
          "s": "\u00e9\ud83d\ude00\n", "n": null, "t": true, "l": [], "o": {}})",
      "x");
  EXPECT_EQ(
      python_dumps(value),
      R"({"z": 1, "a": -9223372036854775808, "m": 18446744073709551615, "f": 1.0, "e": 100.0, )"
      R"("s": "é😀\n", "n": null, "t": true, "l": [], "o": {}})");
  EXPECT_TRUE(value["z"].is_number_integer());
  EXPECT_TRUE(value["m"].is_number_unsigned());
  EXPECT_TRUE(value["f"].is_number_float());
}

TEST(Json, Scalars) {
  EXPECT_EQ(parse_json("3", "x"), Json(3));
  EXPECT_EQ(parse_json(" \"a\" ", "x"), Json("a"));
  EXPECT_TRUE(parse_json("null", "x").is_null());
}

TEST(Json, SaysWhereTheFaultIs) {
  EXPECT_THAT(refusal("{\"a\": 1,}"), StartsWith("x.json: byte 8: found a fault ("));
  EXPECT_THAT(refusal(""), StartsWith("x.json: byte 0: "));
  EXPECT_THAT(refusal("[1, 2"), StartsWith("x.json: byte 5: "));
  EXPECT_THAT(refusal("[1] 2"), StartsWith("x.json: byte 4: "));
  EXPECT_THAT(refusal("[NaN]"), StartsWith("x.json: byte 1: "));
  EXPECT_THAT(refusal("[01]"), StartsWith("x.json: byte 2: "));
  EXPECT_THAT(refusal("[\"\xFF\"]"), StartsWith("x.json: byte 2: "));
  EXPECT_THAT(refusal("\xEF\xBB\xBF{}"), HasSubstr("byte order mark"));
}

TEST(Json, RefusesHalfASurrogatePair) {
  EXPECT_THAT(refusal(R"(["\ud800"])"), StartsWith("x.json: byte "));
  EXPECT_THAT(refusal(R"(["\udc00"])"), StartsWith("x.json: byte "));
  EXPECT_THAT(refusal(R"({"\udc00x": 1})"), StartsWith("x.json: byte "));
  // Korean letters begin with the same byte.
  EXPECT_EQ(parse_json(R"(["\ud55c한"])", "x")[0], "한한");
}

TEST(Json, RefusesNumbersThatDoNotFit) {
  EXPECT_THAT(refusal("[18446744073709551616]"), HasSubstr("18446744073709551616"));
  EXPECT_THAT(refusal("[-9223372036854775809]"), HasSubstr("-9223372036854775809"));
  EXPECT_THAT(refusal("[1e999]"), HasSubstr("1e999"));
}

TEST(Json, RefusesDuplicateNames) {
  EXPECT_EQ(refusal(R"({"a": 1, "b": {"a": 2}, "a": 3})"),
            "x.json: byte 26: found \"a\" twice in one object, need each name once");
  // The same by way of an escape.
  EXPECT_THAT(refusal(R"({"a": 1, "\u0061": 2})"), HasSubstr("found \"a\" twice"));
  std::string large = "{";
  for (int i = 0; i < 1000; ++i) large += fmt::format("\"k{}\": {}, ", i, i);
  EXPECT_EQ(parse_json(large + "\"k1000\": 0}", "x").size(), 1001u);
  EXPECT_THAT(refusal(large + "\"k500\": 0}"), HasSubstr("found \"k500\" twice"));
}

TEST(Json, RefusesMoreThan64Levels) {
  EXPECT_NO_THROW(parse_json(nested(64), "x"));
  EXPECT_EQ(refusal(nested(65)), "x.json: byte 64: found more than 64 levels, need at most 64");
  EXPECT_THAT(refusal(nested(100000)), HasSubstr("more than 64 levels"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("more than 64 levels"));
  std::string objects = "0";
  for (int i = 0; i < 64; ++i) objects = "{\"a\":" + objects + "}";
  EXPECT_NO_THROW(parse_json(objects, "x"));
  EXPECT_THAT(refusal("[" + objects + "]"), HasSubstr("more than 64 levels"));
}

TEST(Json, ReadsTokenizerFiles) {
  KEJU_NEED(shared);
  const auto path = shared_dir() / "fixtures/tokenizers/smollm2/tokenizer.json";
  const Json value = read_json(path);
  EXPECT_GT(member(member(value, "model", "x"), "vocab", "x").size(), 40000u);
}

TEST(Json, MembersSayWhatIsWrong) {
  const Json value =
      parse_json(R"({"name": "n", "count": 3, "rate": 0.5, "big": 9223372036854775808})", "x");
  EXPECT_EQ(string_member(value, "name", "w"), "n");
  EXPECT_EQ(int_member(value, "count", "w"), 3);
  EXPECT_EQ(number_member(value, "rate", "w"), 0.5);
  EXPECT_EQ(number_member(value, "count", "w"), 3.0);
  EXPECT_EQ(input_error([&] { string_member(value, "count", "w"); }),
            "w: count: found 3, need string");
  EXPECT_EQ(input_error([&] { int_member(value, "rate", "w"); }),
            "w: rate: found 0.5, need integer");
  EXPECT_EQ(input_error([&] { int_member(value, "name", "w"); }),
            "w: name: found string, need integer");
  EXPECT_THAT(input_error([&] { int_member(value, "big", "w"); }), HasSubstr("at most 2^63-1"));
  EXPECT_EQ(input_error([&] { number_member(value, "name", "w"); }),
            "w: name: found string, need number");
  EXPECT_THAT(input_error([&] { member(value, "coutn", "w"); }),
              StartsWith("w: coutn: found nothing, need a value; did you mean \"count\"?"));
  EXPECT_THAT(input_error([] { member(Json(3), "a", "w"); }), HasSubstr("need an object"));
}

TEST(Json, PythonFloat) {
  EXPECT_EQ(python_float(0.0), "0.0");
  EXPECT_EQ(python_float(-0.0), "-0.0");
  EXPECT_EQ(python_float(1), "1.0");
  EXPECT_EQ(python_float(-12.5), "-12.5");
  EXPECT_EQ(python_float(0.1), "0.1");
  EXPECT_EQ(python_float(0.0001), "0.0001");
  EXPECT_EQ(python_float(0.00012345), "0.00012345");
  EXPECT_EQ(python_float(0.00001), "1e-05");
  EXPECT_EQ(python_float(1.5e-7), "1.5e-07");
  EXPECT_EQ(python_float(1e15), "1000000000000000.0");
  EXPECT_EQ(python_float(9999999999999998.0), "9999999999999998.0");
  EXPECT_EQ(python_float(1e16), "1e+16");
  EXPECT_EQ(python_float(-1.25e100), "-1.25e+100");
  EXPECT_EQ(python_float(5e-324), "5e-324");
  EXPECT_EQ(python_float(1.7976931348623157e308), "1.7976931348623157e+308");
  EXPECT_EQ(python_float(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(python_float(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(python_float(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(Json, PythonDumps) {
  EXPECT_EQ(python_dumps(Json("\"\\/\b\f\n\r\t\x01\x1f\x7f é\u2028")),
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é\u2028\"");
  EXPECT_EQ(python_dumps(Json(std::numeric_limits<double>::infinity())), "Infinity");
  EXPECT_EQ(python_dumps(Json(-std::numeric_limits<double>::infinity())), "-Infinity");
  EXPECT_EQ(python_dumps(Json(std::numeric_limits<double>::quiet_NaN())), "NaN");
  const Json value = parse_json(R"({"a": [1, {"b": []}, {}], "c": null})", "x");
  EXPECT_EQ(python_dumps(value), R"({"a": [1, {"b": []}, {}], "c": null})");
  EXPECT_EQ(
      python_dumps(value, 2),
      "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    },\n    {}\n  ],\n  \"c\": null\n}");
  EXPECT_EQ(python_dumps(Json::array(), 4), "[]");
}

}  // namespace
}  // namespace keju
