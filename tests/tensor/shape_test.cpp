// SPDX-License-Identifier: MIT
#include "tensor/shape.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace keju {
namespace {

std::string error_of(const Shape& shape) {
  try {
    elements(shape);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kShape);
    return error.what();
  }
  return "";
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(elements({}), 1);
  EXPECT_EQ(elements({0}), 0);
  EXPECT_EQ(elements({2, 3, 4}), 24);
  EXPECT_EQ(elements({int64_t{1} << 62}), int64_t{1} << 62);
  EXPECT_EQ(elements({int64_t{1} << 62, int64_t{1} << 62, 0}), 0);
}

TEST(Shape, RefusesNegativeAxesAndHugeProducts) {
  EXPECT_EQ(error_of({2, -1}), "shape [2, -1]: found axis -1, need axes from 0 up");
  EXPECT_EQ(error_of({-1, 0}), "shape [-1, 0]: found axis -1, need axes from 0 up");
  EXPECT_EQ(error_of({int64_t{1} << 32, int64_t{1} << 31}),
            "shape [4294967296, 2147483648]: found more than 2^62 elements, need at most 2^62");
  EXPECT_NE(error_of({INT64_MAX, 2}), "");
}

TEST(Shape, Prints) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{2, 3}), "[2, 3]");
}

}  // namespace
}  // namespace keju
