// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace keju::jinja {

// A half-open range of bytes.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

// UTF-8 text that remembers which of its bytes came from the caller's strings. Every operation on
// template strings works on this, so that the mark survives joins, slices and replacements.
// Invariant: `content` is sorted; its spans are not empty, do not overlap and do not touch.
struct MarkedText {
  std::string bytes;
  std::vector<Span> content;

  MarkedText() = default;
  explicit MarkedText(std::string_view text, bool is_content = false) { append(text, is_content); }

  void append(std::string_view text, bool is_content);
  void append(const MarkedText& other) { append(other, 0, other.bytes.size()); }
  void append(const MarkedText& other, size_t begin, size_t end);
  MarkedText slice(size_t begin, size_t end) const;
  bool content_at(size_t at) const;
  bool any_content() const { return !content.empty(); }
  size_t size() const { return bytes.size(); }
};

}  // namespace keju::jinja
