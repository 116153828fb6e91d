// SPDX-License-Identifier: MIT
#include "text/pretokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "tests/text/tokenizer_test_models.h"
#include "text/normalize.h"
#include "text/patterns.h"
#include "text/unicode.h"

namespace keju {
namespace {

using testing::ElementsAre;

Spans cut(const PreTokenizer& step, std::string_view text, TextArena& arena) {
  Spans out;
  step.split(text, true, arena, out);
  return out;
}

// BLOOM's pattern; parts by Hugging Face tokenizers 0.23.3.
TEST(RegexSplit, AClassInsideAClassIsAPartOfIt) {
  const auto step = split_by_regex(" ?[^(\\s|[.,!?…。，、।۔،])]+", {}, "test");
  TextArena arena;
  EXPECT_THAT(cut(*step, "你好，世界 (a|b)  c[d]. x", arena),
              ElementsAre("你好", "，", "世界", " (", "a", "|", "b", ") ", " c[d]", ".", " x"));
  for (const char* odd : {"[a[^b]]", "[a&&[b]]"}) {
    EXPECT_EQ(caught([&] { split_by_regex(odd, {}, "test"); }).code, Code::kUnsupported) << odd;
  }
  EXPECT_THAT(cut(*split_by_regex("[[:digit:]x]+", {}, "test"), "a1x:b", arena),
              ElementsAre("a", "1x", ":b"));
}

class KnownPattern : public testing::TestWithParam<std::string_view> {};

// The scanners against PCRE2 on random texts of characters that its older tables know too.
TEST_P(KnownPattern, ScannerEqualsPcre) {
  const Scanner scanner = scanner_for(GetParam());
  ASSERT_NE(scanner, nullptr);
  const auto regex = split_by_pcre(std::string(GetParam()), {}, "test");
  const std::u32string letters =
      U"aAzZsStTmMdDlLrReEvVkKſßǅʰª中国の한กé\u0301\u0308\u094D'''’\"   "
      U"\t\n\r\u00A0\u2028\u3000\u0085"
      U"0123９٣Ⅷ½①.,!?/\\-_=+$^`|~<>()（）「」€©🎏\u200B\u200D\uFEFF\0\x7F";
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = 1 + random() % 14; n > 0; --n)
      append_utf8(text, letters[random() % letters.size()]);
    TextArena arena;
    Spans found;
    scanner(text, found);
    ASSERT_EQ(found, cut(*regex, text, arena)) << testing::PrintToString(text);
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         KnownPattern,
                         testing::Values(kGpt2Pattern,
                                         kLlama3Pattern,
                                         kQwen2Pattern,
                                         kMarksPattern,
                                         kO200kPattern,
                                         kTekkenPattern,
                                         kDeepSeekPattern,
                                         kCjkPattern,
                                         "\\p{N}",
                                         "\\p{N}{1,3}",
                                         "\\p{N}+"));

TEST(PreTokenize, BehaviorsAndInversion) {
  using enum SplitBehavior;
  TextArena arena;
  const auto run = [&](SplitBehavior behavior, bool invert) {
    return cut(*split_by_string("-", {behavior, invert}), "a--b-c", arena);
  };
  EXPECT_THAT(run(kIsolated, false), ElementsAre("a", "-", "-", "b", "-", "c"));
  EXPECT_THAT(run(kRemoved, false), ElementsAre("a", "b", "c"));
  EXPECT_THAT(run(kRemoved, true), ElementsAre("-", "-", "-"));
  EXPECT_THAT(run(kContiguous, false), ElementsAre("a", "--", "b", "-", "c"));
  EXPECT_THAT(run(kMergedWithPrevious, false), ElementsAre("a-", "-", "b-", "c"));
  EXPECT_THAT(run(kMergedWithNext, false), ElementsAre("a", "-", "-b", "-c"));
}

TEST(PreTokenize, LineAnchorsAndEmptyMatches) {
  TextArena arena;
  EXPECT_THAT(cut(*split_by_regex("^a|\\s+$", {}, "test"), "ab \nab ", arena),
              ElementsAre("a", "b", " ", "\n", "a", "b", " "));
  EXPECT_THAT(cut(*split_by_regex("x*", {}, "test"), "中xx文", arena),
              ElementsAre("中", "xx", "文"));
}

TEST(PreTokenize, WordsAndClasses) {
  TextArena arena;
  EXPECT_THAT(cut(*split_words(), "a_1, é中!?  b", arena),
              ElementsAre("a_1", ",", "é中", "!?", "b"));
  EXPECT_THAT(
      cut(*split_by_class(CharClass::kNumber, {SplitBehavior::kContiguous}), "a12Ⅷb", arena),
      ElementsAre("a", "12Ⅷ", "b"));
  EXPECT_THAT(cut(*fixed_length(2), "中文a", arena), ElementsAre("中文", "a"));
  EXPECT_THAT(cut(*metaspace("▁", PrependScheme::kAlways, true), "a b", arena),
              ElementsAre("▁a", "▁b"));
}

TEST(Unicode, TablesHoldUnicode16) {
  const UnicodeTable& table = UnicodeTable::get();
  EXPECT_EQ(table.bits(U'中'), kLetter);
  EXPECT_EQ(table.bits(U'A'), kLetter | kUpper);
  EXPECT_EQ(table.bits(U'\u3000'), kSpace);
  EXPECT_EQ(table.bits(U'\u0085'), kSpace);
  EXPECT_EQ(table.bits(U'\u180E'), 0);
  EXPECT_EQ(table.bits(U'\U00010D40'), kNumber);  // Garay digits, new in 16.0
  EXPECT_EQ(table.bits(0x110000), 0);
  EXPECT_TRUE(table.nfc_inert(U'é'));
  EXPECT_FALSE(table.nfc_inert(U'\u0301'));
  EXPECT_FALSE(table.nfc_inert(U'\u212B'));
  EXPECT_FALSE(table.nfc_inert(U'\u11A8'));
}

// Normalizing only around the characters that need it equals normalizing all of it.
TEST(Normalize, TheNfcShortCutChangesNothing) {
  const auto step = normal_form(NormalForm::kNfc, NormalTables::kCurrent);
  const auto split = normal_form(NormalForm::kNfd, NormalTables::kCurrent);
  const std::u32string letters =
      U"aeoAé中ＡÅ\u212B\u0301\u0308\u0327\u0345\u0344か\u3099が한\u1112\u1161\u11AB\u0F73豈\u1D15E"
      U" x";
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t n = 1 + random() % 12; n > 0; --n)
      append_utf8(text, letters[random() % letters.size()]);
    std::string once, apart, again;
    const std::string_view composed = step->apply(text, once);
    // NFC(NFD(x)) = NFC(x), and NFD goes through the whole text.
    ASSERT_EQ(composed, step->apply(split->apply(text, apart), again))
        << testing::PrintToString(text);
  }
  std::string buffer;
  const std::string plain = "只是 ASCII 和汉字";
  EXPECT_EQ(step->apply(plain, buffer).data(), plain.data());  // nothing copied
}

TEST(Normalize, LaterCharactersPassUnchanged) {
  std::string buffer;
  const auto old = normal_form(NormalForm::kNfkc, NormalTables::kUnicode9);
  EXPECT_EQ(old->apply("㋿㍻", buffer), "㋿平成");  // U+32FF came with Unicode 12.1
  EXPECT_EQ(normal_form(NormalForm::kNfkc, NormalTables::kCurrent)->apply("㋿", buffer), "令和");
  EXPECT_EQ(lowercase()->apply("ÀİΣ", buffer), "ài\u0307σ");
}

}  // namespace
}  // namespace keju
