// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Decodes one code point at text[at] and moves `at` past it. A byte that starts no valid sequence
// (overlong, surrogate, above U+10FFFF or cut) yields U+FFFD and moves by one.
char32_t next_code_point(std::string_view text, size_t& at);

void append_utf8(std::string& out, char32_t code_point);
bool valid_utf8(std::string_view text);
size_t count_code_points(std::string_view text);
std::u32string to_u32(std::string_view text);
std::string to_utf8(std::u32string_view text);

// The longest prefix of `text` that does not end inside a UTF-8 sequence: what may be shown while
// more bytes are still to come.
size_t complete_utf8_prefix(std::string_view text);

// Python's str.isspace for one code point (bidirectional WS/B/S or category Zs), which is what
// str.strip, str.rstrip and str.split() use.
bool is_python_space(char32_t code_point);
std::string_view python_rstrip(std::string_view text);
std::string_view python_lstrip(std::string_view text);
std::string_view python_strip(std::string_view text);

}  // namespace keju
