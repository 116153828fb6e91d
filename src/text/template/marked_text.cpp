// SPDX-License-Identifier: MIT
#include "text/template/marked_text.h"

#include <algorithm>

namespace keju::jinja {

namespace {

void add_span(std::vector<Span>& spans, size_t begin, size_t end) {
  if (begin >= end) return;
  if (!spans.empty() && spans.back().end == begin) {
    spans.back().end = end;
  } else {
    spans.push_back({begin, end});
  }
}

// The first span that ends after `at`.
auto first_after(const std::vector<Span>& spans, size_t at) {
  return std::upper_bound(
      spans.begin(), spans.end(), at, [](size_t a, const Span& s) { return a < s.end; });
}

}  // namespace

void MarkedText::append(std::string_view text, bool is_content) {
  if (is_content) add_span(content, bytes.size(), bytes.size() + text.size());
  bytes.append(text);
}

void MarkedText::append(const MarkedText& other, size_t begin, size_t end) {
  const size_t base = bytes.size();
  for (auto it = first_after(other.content, begin); it != other.content.end(); ++it) {
    if (it->begin >= end) break;
    add_span(
        content, base + std::max(it->begin, begin) - begin, base + std::min(it->end, end) - begin);
  }
  bytes.append(other.bytes, begin, end - begin);
}

MarkedText MarkedText::slice(size_t begin, size_t end) const {
  MarkedText out;
  out.append(*this, begin, end);
  return out;
}

bool MarkedText::content_at(size_t at) const {
  const auto it = first_after(content, at);
  return it != content.end() && it->begin <= at;
}

}  // namespace keju::jinja
