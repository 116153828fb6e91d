// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <gtest/gtest.h>

namespace keju {
namespace {

TEST(Error, ExitCodeFollowsFromTheCode) {
  EXPECT_EQ(exit_code(Code::kUsage), 4);
  EXPECT_EQ(exit_code(Code::kInput), 5);
  EXPECT_EQ(exit_code(Code::kShape), 5);
  EXPECT_EQ(exit_code(Code::kUnsupported), 6);
  EXPECT_EQ(exit_code(Code::kIo), 7);
  EXPECT_EQ(exit_code(Code::kDevice), 7);
  EXPECT_EQ(exit_code(Code::kBug), 8);
}

TEST(Error, FailFormats) {
  const Error error = fail(Code::kInput, "{}: found {}, need {}", "x", 1, 2);
  EXPECT_EQ(error.code(), Code::kInput);
  EXPECT_STREQ(error.what(), "x: found 1, need 2");
}

TEST(Error, CheckThrowsBug) {
  try {
    KEJU_CHECK(1 + 1 == 3, "arithmetic");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kBug);
    EXPECT_NE(std::string(e.what()).find("arithmetic"), std::string::npos);
  }
}

TEST(Error, SuggestsTheNearestName) {
  const std::vector<std::string> known = {"shots", "split", "prompt"};
  EXPECT_EQ(closest("shtos", known), "shots");
  EXPECT_EQ(closest("entirely-different", known), "");
  EXPECT_EQ(suggestion("shtos", known), "; did you mean \"shots\"? Known: shots, split, prompt");
  EXPECT_EQ(suggestion("entirely-different", known), ". Known: shots, split, prompt");
  EXPECT_EQ(suggestion("x", {}), "");
  EXPECT_NE(suggestion("name", std::vector<std::string>(20, "different")).find("and 8 more"),
            std::string::npos);
}

}  // namespace
}  // namespace keju
