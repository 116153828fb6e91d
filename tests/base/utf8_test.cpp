// SPDX-License-Identifier: MIT
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <set>

namespace keju {
namespace {

TEST(Utf8, EveryCodePointSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    size_t at = 0;
    ASSERT_EQ(next_code_point(text, at), c);
    ASSERT_EQ(at, text.size());
    ASSERT_TRUE(valid_utf8(text));
  }
}

TEST(Utf8, WhatIsNoCodePointIsWrittenAsReplacement) {
  EXPECT_EQ(to_utf8(U"\x110000"), "\xEF\xBF\xBD");
  std::string text;
  append_utf8(text, 0xD800);
  EXPECT_EQ(text, "\xEF\xBF\xBD");
}

TEST(Utf8, BadBytesYieldOneReplacementEach) {
  const std::string bad[] = {
      "\x80",              // a continuation alone
      "\xC0\x80",          // overlong
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      // overlong
      "\xF0\x8F\xBF\xBF",  // overlong
      "\xED\xA0\x80",      // surrogate
      "\xF4\x90\x80\x80",  // above U+10FFFF
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xE2\x82",      // cut
      "\xF0\x9F\x98",  // cut
  };
  for (const std::string& text : bad) {
    EXPECT_FALSE(valid_utf8(text));
    EXPECT_EQ(to_u32(text), std::u32string(text.size(), 0xFFFD));
    EXPECT_EQ(count_code_points(text), text.size());
  }
  EXPECT_EQ(to_u32("a\xE2\x82z"), U"a\xFFFD\xFFFDz");
  EXPECT_TRUE(valid_utf8("\xEF\xBF\xBD"));
}

TEST(Utf8, Conversions) {
  const std::string text = "aé漢😀";
  EXPECT_EQ(count_code_points(text), 4u);
  EXPECT_EQ(to_u32(text), U"aé漢😀");
  EXPECT_EQ(to_utf8(to_u32(text)), text);
  EXPECT_EQ(to_u32(""), U"");
}

TEST(Utf8, CompletePrefix) {
  EXPECT_EQ(complete_utf8_prefix(""), 0u);
  EXPECT_EQ(complete_utf8_prefix("abc"), 3u);
  EXPECT_EQ(complete_utf8_prefix("é"), 2u);
  EXPECT_EQ(complete_utf8_prefix("a\xC3"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xE2\x82"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a\xF0\x9F\x98"), 1u);
  EXPECT_EQ(complete_utf8_prefix("a😀"), 5u);
  // Nothing that follows could mend these, so there is nothing to wait for.
  EXPECT_EQ(complete_utf8_prefix("a\xE0\x80"), 3u);
  EXPECT_EQ(complete_utf8_prefix("a\xFF"), 2u);
  EXPECT_EQ(complete_utf8_prefix("a\x80\x80\x80\x80"), 5u);
  EXPECT_EQ(complete_utf8_prefix("\x80"), 1u);
}

TEST(Utf8, PythonSpaces) {
  // [c for c in range(0x110000) if chr(c).isspace()] in Python 3.11.
  const std::set<char32_t> spaces = {0x9,    0xa,    0xb,    0xc,    0xd,    0x1c,   0x1d,   0x1e,
                                     0x1f,   0x20,   0x85,   0xa0,   0x1680, 0x2000, 0x2001, 0x2002,
                                     0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a,
                                     0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
  for (char32_t c = 0; c <= 0x10FFFF; ++c) ASSERT_EQ(is_python_space(c), spaces.count(c) == 1);
}

TEST(Utf8, PythonStrip) {
  const std::string text = "\u3000 \n\u00a0a b\u2003é\u2028\t\u3000";
  EXPECT_EQ(python_strip(text), "a b\u2003é");
  EXPECT_EQ(python_lstrip(text), "a b\u2003é\u2028\t\u3000");
  EXPECT_EQ(python_rstrip(text), "\u3000 \n\u00a0a b\u2003é");
  EXPECT_EQ(python_strip(""), "");
  EXPECT_EQ(python_strip(" \u205f\u1680"), "");
  EXPECT_EQ(python_rstrip("x\u200b"), "x\u200b");  // the zero-width space is none
  EXPECT_EQ(python_rstrip("x\x80"), "x\x80");
  EXPECT_EQ(python_rstrip("x\x80\x80\x80\x80\x80 "), "x\x80\x80\x80\x80\x80");
}

}  // namespace
}  // namespace keju
