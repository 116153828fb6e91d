// SPDX-License-Identifier: MIT
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
#include "text/tokenizer.h"

namespace keju {

// A token that is cut out of the text before (or, if `normalized`, after) normalization.
struct AddedToken {
  std::string text;
  TokenId id = 0;
  bool special = false;      // stays text under ParseSpecial::kNo; left out when decoding
  bool normalized = false;   // looked for in the normalized text
  bool strip_left = false;   // takes the whitespace before it along
  bool strip_right = false;  // and behind it
  bool single_word = false;  // only where no word character is next to it
};

// Finds given strings in a text: leftmost, the longest of those that begin there, not overlapping.
class StringMatcher {
 public:
  struct Hit {
    size_t begin;
    size_t end;
    size_t index;  // into the patterns
  };
  explicit StringMatcher(const std::vector<std::string>& patterns);
  bool empty() const { return trie_.empty(); }
  // The first hit at or behind `from`; false if there is none.
  bool find(std::string_view text, size_t from, Hit& hit) const;

 private:
  ByteTrie trie_;
  std::bitset<65536> starts_;  // first two bytes of a pattern (any second for patterns of one)
};

// A part of a text: a token that was cut out, or text (token < 0).
struct CutPart {
  TokenId token;
  std::string_view text;
};

// A half-open range of a text's bytes in which no special token is read.
struct PlainSpan {
  size_t begin;
  size_t end;
};

// Cuts added tokens out of texts as Hugging Face tokenizers does.
class AddedTokens {
 public:
  // `contents[i]` is what tokens[i] looks like in the text it is searched in.
  AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& contents);
  bool empty() const { return matcher_.empty(); }
  // `plain`: stretches of the text that may not become special tokens, in order.
  void cut(std::string_view text,
           const std::vector<PlainSpan>& plain,
           std::vector<CutPart>& out) const;

 private:
  std::vector<AddedToken> tokens_;
  StringMatcher matcher_;
};

}  // namespace keju
