// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "text/template/value.h"

// Pieces of number formatting that the % operator, str.format and filters share.
namespace keju::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = 0;
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  int64_t width = 0;
  char group = 0;
  int64_t precision = -1;
  char type = 0;
};

void append_padded(Builder& out, const MarkedText& body, const FormatSpec& spec, char align);
std::string format_double(Runtime& rt, double value, char type, int64_t precision);
std::string format_integer(int64_t value, char type, bool alternate);

}  // namespace keju::jinja
