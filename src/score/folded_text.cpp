// SPDX-License-Identifier: MIT
#include "score/folded_text.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace keju {
namespace {

constexpr char32_t kFullWidthBegin = 0xFF01, kFullWidthEnd = 0xFF5E, kFullWidthComma = 0xFF0C;
constexpr char32_t kIdeographicSpace = 0x3000, kNoBreakSpace = 0xA0, kMinusSign = 0x2212;

char32_t folded(char32_t c) {
  if (c >= kFullWidthBegin && c <= kFullWidthEnd && c != kFullWidthComma) return c - 0xFEE0;
  if (c == kIdeographicSpace || c == kNoBreakSpace) return ' ';
  if (c == kMinusSign) return '-';
  return c;
}

// Begins of a new question or turn, as models go on to write them when nothing stops them.
constexpr std::array<std::string_view, 14> kLineMarks = {"question:",
                                                         "q:",
                                                         "human:",
                                                         "user:",
                                                         "问题:",
                                                         "题目:",
                                                         "问:",
                                                         "用户:",
                                                         "问题 ",
                                                         "### instruction",
                                                         "<|user",
                                                         "[round ",
                                                         "human：",
                                                         "problem:"};
constexpr std::array<std::string_view, 8> kTurnMarks = {"<|im_end|>",
                                                        "<|im_start|>",
                                                        "<|endoftext|>",
                                                        "<|eot_id|>",
                                                        "</s>",
                                                        "<end_of_turn>",
                                                        "<start_of_turn>",
                                                        "<|end|>"};

bool is_mark(std::string_view line, std::string_view mark) {
  if (line.size() < mark.size()) return false;
  return std::equal(mark.begin(), mark.end(), line.begin(), [](char m, char c) {
    return m == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  });
}

// Where the answer ends. A text may open with such a mark (a model repeats the question first).
size_t answer_end(std::string_view text) {
  size_t end = text.size();
  for (const std::string_view mark : kTurnMarks) end = std::min(end, text.find(mark));
  const size_t begin = text.find_first_not_of(" \t\r\n");
  for (size_t at = text.find('\n'); at < end; at = text.find('\n', at + 1)) {
    if (at < begin) continue;
    const size_t line = text.find_first_not_of(" \t*#", at + 1);
    if (line == std::string_view::npos) break;
    for (const std::string_view mark : kLineMarks) {
      if (is_mark(text.substr(line), mark)) return std::min(end, at);
    }
  }
  return end;
}

}  // namespace

FoldedText::FoldedText(std::string_view original) {
  size_t code_point = 0;
  for (size_t at = 0; at < original.size(); ++code_point) {
    append_utf8(text_, folded(next_code_point(original, at)));
    origin_.resize(text_.size(), code_point);
  }
  origin_.push_back(code_point);

  // What a model thinks aloud is not its answer; a block that never closes leaves none behind it.
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const size_t close = text_.rfind(kClose);
  if (close != std::string::npos) {
    text_.erase(0, close + kClose.size());
    origin_.erase(origin_.begin(), origin_.begin() + static_cast<ptrdiff_t>(close + kClose.size()));
  }
  const size_t open = text_.find(kOpen);
  if (open != std::string::npos) text_.resize(open);
  text_.resize(answer_end(text_));
}

Extraction::Span FoldedText::span(size_t begin, size_t end) const {
  return {static_cast<int64_t>(origin_[begin]), static_cast<int64_t>(origin_[end])};
}

}  // namespace keju
