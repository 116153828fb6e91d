// SPDX-License-Identifier: MIT
#include "report/escape.h"

#include <gtest/gtest.h>

#include "report/format.h"

namespace keju {
namespace {

TEST(Html, EscapesForElementsAndAttributes) {
  EXPECT_EQ(html("<script>alert(\"1\")</script>"),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
  EXPECT_EQ(html("' onload='x"), "&#39; onload=&#39;x");
  EXPECT_EQ(html("a & b"), "a &amp; b");
  EXPECT_EQ(html("模型"), "模型");
  EXPECT_EQ(html(std::string("\x1b[31m\0", 6)), "\\x1b[31m\\x00");
  EXPECT_EQ(html("\xc3\x28"), "\\xc3(");
  EXPECT_LT(html(std::string(1'000'000, 'x')).size(), 300u);
}

TEST(Markdown, NothingFormatsLinksOrEndsTheCell) {
  EXPECT_EQ(markdown("a|b"), "a\\|b");
  EXPECT_EQ(markdown("[x](javascript:alert)"), "\\[x\\](javascript:alert)");
  EXPECT_EQ(markdown("<img src=x>"), "&lt;img src=x&gt;");
  EXPECT_EQ(markdown("**b** `c`\n# d"), "\\*\\*b\\*\\* \\`c\\`\\\\n\\# d");
  EXPECT_EQ(markdown("https://x.y WwW.x.y a@b.c"), "https\\://x.y WwW\\.x.y a\\@b.c");
  EXPECT_EQ(markdown("Q4_K_M: 4.5 (-)"), "Q4\\_K\\_M: 4.5 (-)");
}

TEST(Slug, IsSafeInPathsAndAttributes) {
  EXPECT_EQ(slug("CMMLU/lm-eval val 5shot"), "cmmlu-lm-eval-val-5shot");
  EXPECT_EQ(slug("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(slug("中文"), "x");
  EXPECT_EQ(slug(""), "x");
}

// The empty string's SHA-256 in Base64.
TEST(CspHash, IsBase64OfSha256) {
  EXPECT_EQ(csp_hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Format, NumbersAsPeopleReadThem) {
  EXPECT_EQ(fixed(61.256, 2), "61.26");
  EXPECT_EQ(fixed(-0.001, 2), "0.00");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1234), "-1,234");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(per_second(1240.4), "1,240");
  EXPECT_EQ(per_second(83.14), "83.1");
  EXPECT_EQ(seconds(0.0031), "3.1 ms");
  EXPECT_EQ(seconds(1.239), "1.24 s");
  EXPECT_EQ(seconds(725), "12 min 5 s");
  EXPECT_EQ(bytes(151'600'000), "152 MB");
  EXPECT_EQ(bytes(1'520'000'000), "1.52 GB");
  EXPECT_EQ(count_short(134'515'008), "135M");
  EXPECT_EQ(count_short(0), "0");
}

}  // namespace
}  // namespace keju
