// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keju::jinja {

struct NumberLiteral {
  bool is_float = false;
  int64_t integer = 0;
  double number = 0;
  size_t size = 0;  // bytes read
};

// Reads a number at text[at]. `after_dot`: a float may not begin here (the 1 of "x.1.2").
bool read_number(std::string_view text, size_t at, bool after_dot, NumberLiteral& out);

// The inside of a string literal with Python's escapes undone.
std::string unescape(std::string_view text);

bool is_word(char32_t c);  // \w

}  // namespace keju::jinja
