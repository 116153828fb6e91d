// SPDX-License-Identifier: MIT
#include "tensor/shape.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace keju {

int64_t elements(const Shape& shape) {
  constexpr int64_t kMost = int64_t{1} << 62;
  int64_t product = 1;
  bool empty = false;
  for (const int64_t axis : shape) {
    if (axis < 0) {
      throw fail(
          Code::kShape, "shape {}: found axis {}, need axes from 0 up", to_string(shape), axis);
    }
    empty = empty || axis == 0;
  }
  if (empty) return 0;
  for (const int64_t axis : shape) {
    if (product > kMost / axis) {
      throw fail(Code::kShape,
                 "shape {}: found more than 2^62 elements, need at most 2^62",
                 to_string(shape));
    }
    product *= axis;
  }
  return product;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace keju
