// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "score/extract.h"

namespace keju {

// A generated text as extraction rules read it: without its thinking block, full-width forms folded
// to ASCII (but not the full-width comma, which parts numbers where the ASCII one joins them), cut
// where a new question or turn begins. Every byte knows where it came from.
class FoldedText {
 public:
  explicit FoldedText(std::string_view original);

  const std::string& text() const { return text_; }
  // Where [begin, end) of text() stands in the original.
  Extraction::Span span(size_t begin, size_t end) const;

 private:
  std::string text_;
  std::vector<size_t> origin_;  // code point of the original, for each byte of text_
};

}  // namespace keju
