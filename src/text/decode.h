// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// One step from spellings to text. Threads: const, safe to share.
class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
  // What one spelling in the middle of a text becomes, as bytes; steps that look at neighbours or
  // at the text's ends leave it as it is.
  virtual std::string piece(std::string token) const { return token; }
};

std::unique_ptr<DecodeStep> decode_byte_level();
std::unique_ptr<DecodeStep> decode_byte_fallback();
std::unique_ptr<DecodeStep> decode_fuse();
std::unique_ptr<DecodeStep> decode_replace(std::string needle, std::string by);
// Takes `content` off: at most `left` times from a token's front, `right` times from its back.
std::unique_ptr<DecodeStep> decode_strip(std::string content, size_t left, size_t right);
// Replacement to space; in the first token it is left out if `drop_first`.
std::unique_ptr<DecodeStep> decode_metaspace(std::string replacement, bool drop_first);
// SentencePiece's: one "▁" (all of them if `all`) is taken off the text's front.
std::unique_ptr<DecodeStep> decode_sentencepiece(bool strip, bool all);

// Bytes to valid UTF-8: each longest beginning of a sequence that goes wrong becomes one U+FFFD.
std::string lossy_utf8(std::string_view bytes);

}  // namespace keju
