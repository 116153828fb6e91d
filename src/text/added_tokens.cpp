// SPDX-License-Identifier: MIT
#include "text/added_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/unicode.h"

namespace keju {
namespace {

bool is_space(char32_t code) { return (UnicodeTable::get().bits(code) & kSpace) != 0; }

char32_t last_code_point(std::string_view text, size_t& begin) {
  begin = text.size() - 1;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  size_t at = begin;
  return next_code_point(text, at);
}

bool ends_with_word(std::string_view text) {
  size_t begin = 0;
  return !text.empty() && is_word(last_code_point(text, begin));
}

bool starts_with_word(std::string_view text) {
  size_t at = 0;
  return !text.empty() && is_word(next_code_point(text, at));
}

// Where the whitespace at the end of `text` begins, and where that at its start ends.
size_t trailing_space(std::string_view text) {
  size_t begin = 0;
  while (!text.empty() && is_space(last_code_point(text, begin))) text = text.substr(0, begin);
  return text.size();
}

size_t leading_space(std::string_view text) {
  size_t end = 0;
  for (size_t at = 0; at < text.size() && is_space(next_code_point(text, at));) end = at;
  return end;
}

}  // namespace

StringMatcher::StringMatcher(const std::vector<std::string>& patterns)
    : trie_(std::vector<std::string_view>(patterns.begin(), patterns.end())) {
  for (const std::string& pattern : patterns) {
    if (pattern.empty()) continue;
    const size_t row = static_cast<uint8_t>(pattern[0]) * 256u;
    if (pattern.size() > 1) starts_.set(row + static_cast<uint8_t>(pattern[1]));
    for (size_t second = 0; second < 256 && pattern.size() == 1; ++second)
      starts_.set(row + second);
  }
}

bool StringMatcher::find(std::string_view text, size_t from, Hit& hit) const {
  if (empty()) return false;
  for (size_t begin = from; begin < text.size(); ++begin) {
    const auto first = static_cast<uint8_t>(text[begin]);
    const uint8_t second =
        begin + 1 < text.size() ? static_cast<uint8_t>(text[begin + 1]) : uint8_t{0};
    if (!starts_[first * 256u + second]) continue;
    int32_t best = -1;
    int64_t node = 0;
    for (size_t at = begin; at < text.size();) {
      node = trie_.step(node, static_cast<uint8_t>(text[at]));
      if (node < 0) break;
      ++at;
      if (trie_.value(node) < 0) continue;
      best = trie_.value(node);
      hit.end = at;
    }
    if (best < 0) continue;
    hit.begin = begin;
    hit.index = static_cast<size_t>(best);
    return true;
  }
  return false;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& contents)
    : tokens_(std::move(tokens)), matcher_(contents) {}

void AddedTokens::cut(std::string_view text,
                      const std::vector<PlainSpan>& plain,
                      std::vector<CutPart>& out) const {
  size_t done = 0;
  size_t span = 0;  // the first that does not end before the hit
  StringMatcher::Hit hit{};
  for (size_t from = 0; matcher_.find(text, from, hit);) {
    from = hit.end;
    const AddedToken& token = tokens_[hit.index];
    while (span < plain.size() && plain[span].end <= hit.begin) ++span;
    if (token.special && span < plain.size() && plain[span].begin < hit.end) {
      // A spelling that only ends or begins in plain text: a mark may begin inside it.
      const bool inside = plain[span].begin <= hit.begin && hit.end <= plain[span].end;
      if (!inside) from = hit.begin + 1;
      continue;
    }
    if (token.single_word &&
        (ends_with_word(text.substr(0, hit.begin)) || starts_with_word(text.substr(hit.end)))) {
      continue;
    }
    size_t begin = hit.begin;
    size_t end = hit.end;
    if (token.strip_left) begin = std::max(trailing_space(text.substr(0, begin)), done);
    if (token.strip_right) end += leading_space(text.substr(end));
    if (done < begin) out.push_back({-1, text.substr(done, begin - done)});
    out.push_back({token.id, text.substr(begin, end - begin)});
    done = end;
  }
  if (done < text.size()) out.push_back({-1, text.substr(done)});
}

}  // namespace keju
