// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "text/template/value.h"

// Helpers for text by code points.
namespace keju::jinja {

// Where code point `index` of `text` begins; text.size() past the end.
size_t byte_offset(Runtime& rt, const StringObject& text, int64_t index);

// Where `needle` occurs at or after `from`, or npos. Linear time.
size_t find_text(std::string_view text, std::string_view needle, size_t from);

enum class Casing { kUpper, kLower, kTitle, kCapital, kSwap, kFold };
MarkedText change_case(Runtime& rt, const MarkedText& text, Casing casing);

bool is_alnum(char32_t c);
bool is_alpha(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);
bool is_printable(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);
bool is_cased(char32_t c);

// Python's str.strip family: `chars` none or missing means white space.
enum class Side { kBoth, kLeft, kRight };
Span strip_span(const MarkedText& text, Side side, const Value& chars);

std::vector<Span> split_lines(Runtime& rt, std::string_view text, bool keep_ends);

}  // namespace keju::jinja
