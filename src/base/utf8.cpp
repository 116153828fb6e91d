// SPDX-License-Identifier: MIT
#include "base/utf8.h"

namespace keju {
namespace {

// What a first byte promises: the sequence's length (0 if no sequence starts so) and the range of
// its second byte, which is where overlong forms, surrogates and too large values show.
struct Lead {
  size_t length;
  uint8_t second_min;
  uint8_t second_max;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

uint8_t byte_at(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

// How many of the `lead.length` bytes from `at` are there and well-formed.
size_t matched(std::string_view text, size_t at, const Lead& lead) {
  size_t n = 1;
  for (; n < lead.length && at + n < text.size(); ++n) {
    const uint8_t byte = byte_at(text, at + n);
    const uint8_t low = n == 1 ? lead.second_min : uint8_t{0x80};
    const uint8_t high = n == 1 ? lead.second_max : uint8_t{0xBF};
    if (byte < low || byte > high) break;
  }
  return n;
}

// Moves past one sequence; false for a byte that starts none.
bool decode(std::string_view text, size_t& at, char32_t& out) {
  const uint8_t first = byte_at(text, at);
  if (first < 0x80) {
    out = first;
    ++at;
    return true;
  }
  const Lead lead = lead_of(first);
  if (lead.length == 0 || matched(text, at, lead) < lead.length) {
    out = 0xFFFD;
    ++at;
    return false;
  }
  char32_t value = first & (0xFFu >> (lead.length + 1));
  for (size_t n = 1; n < lead.length; ++n) value = value << 6 | (byte_at(text, at + n) & 0x3Fu);
  out = value;
  at += lead.length;
  return true;
}

}  // namespace

char32_t next_code_point(std::string_view text, size_t& at) {
  char32_t out = 0;
  decode(text, at, out);
  return out;
}

void append_utf8(std::string& out, char32_t code_point) {
  if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) code_point = 0xFFFD;
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | code_point >> 6);
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | code_point >> 12);
    out += static_cast<char>(0x80 | (code_point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code_point >> 18);
    out += static_cast<char>(0x80 | (code_point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code_point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

bool valid_utf8(std::string_view text) {
  char32_t ignored = 0;
  for (size_t at = 0; at < text.size();) {
    if (!decode(text, at, ignored)) return false;
  }
  return true;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) next_code_point(text, at);
  return count;
}

std::u32string to_u32(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) out += next_code_point(text, at);
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char32_t code_point : text) append_utf8(out, code_point);
  return out;
}

size_t complete_utf8_prefix(std::string_view text) {
  const size_t reach = text.size() < 3 ? text.size() : 3;
  for (size_t back = 1; back <= reach; ++back) {
    const size_t at = text.size() - back;
    const uint8_t byte = byte_at(text, at);
    if ((byte & 0xC0) == 0x80) continue;
    const Lead lead = lead_of(byte);
    // A sequence that is already wrong will not become right by waiting.
    return lead.length > back && matched(text, at, lead) == back ? at : text.size();
  }
  return text.size();
}

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::string_view python_rstrip(std::string_view text) {
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4 && (byte_at(text, begin) & 0xC0) == 0x80) --begin;
    size_t at = begin;
    if (!is_python_space(next_code_point(text, at)) || at != text.size()) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

std::string_view python_lstrip(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    if (!is_python_space(next_code_point(text, next))) break;
    at = next;
  }
  text.remove_prefix(at);
  return text;
}

std::string_view python_strip(std::string_view text) { return python_lstrip(python_rstrip(text)); }

}  // namespace keju
