// SPDX-License-Identifier: MIT
#include "base/utf8.h"
#include "text/decode.h"
#include "text/tokenizer.h"

namespace keju {
namespace {

size_t leading_spaces(std::string_view text) {
  const size_t at = text.find_first_not_of(' ');
  return at == text.npos ? text.size() : at;
}

}  // namespace

std::string StreamDecoder::push(TokenId id) {
  if (tokenizer_.is_special(id)) return "";
  std::string bytes = tokenizer_.piece(id);
  if (first_) {
    // What decoding takes off the front of a text, it takes off its first token.
    first_ = false;
    const size_t kept = leading_spaces(tokenizer_.decode({id}));
    const size_t found = leading_spaces(bytes);
    if (found > kept) bytes.erase(0, found - kept);
  }
  pending_ += bytes;
  const size_t ready = complete_utf8_prefix(pending_);
  std::string out = lossy_utf8(std::string_view(pending_).substr(0, ready));
  pending_.erase(0, ready);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = lossy_utf8(pending_);
  pending_.clear();
  return out;
}

}  // namespace keju
