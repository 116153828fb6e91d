// SPDX-License-Identifier: MIT
#include "weights/header_json.h"

#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "weights/bytes.h"

namespace keju {

HeaderJson::HeaderJson(std::string_view text, std::string where, uint64_t base)
    : text_(text), where_(std::move(where)), base_(base) {}

void HeaderJson::wrong(std::string_view what, std::string_view need) const {
  throw fail(Code::kInput,
             "{}: byte {}: {}: found {}, need {}",
             where_,
             here(),
             what,
             at_ < text_.size() ? in_quotes(text_.substr(at_, 1)) : "the end of the header",
             need);
}

void HeaderJson::blanks() {
  while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != text_.npos) ++at_;
}

bool HeaderJson::accept(char c) {
  blanks();
  if (at_ >= text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void HeaderJson::need(char c, std::string_view what) {
  if (!accept(c)) wrong(what, in_quotes(std::string_view(&c, 1)));
}

void HeaderJson::object(std::string_view what,
                        const std::function<void(std::string name, uint64_t at)>& member) {
  need('{', what);
  if (accept('}')) return;
  do {
    blanks();
    const uint64_t at = here();
    std::string name = string("name");
    need(':', what);
    member(std::move(name), at);
  } while (accept(','));
  if (!accept('}')) wrong(what, "\",\" or \"}\"");
}

std::string HeaderJson::string(std::string_view what) {
  blanks();
  if (at_ >= text_.size() || text_[at_] != '"') wrong(what, "a string");
  const uint64_t begin = here();
  ++at_;
  std::string out;
  while (true) {
    if (at_ >= text_.size()) wrong(what, "the string's closing quote");
    const char c = text_[at_];
    if (c == '"') break;
    if (c >= 0 && c < 0x20) wrong(what, "no control character in a string");
    ++at_;
    if (c == '\\') {
      escape(out);
    } else {
      out += c;
    }
  }
  ++at_;
  if (!valid_utf8(out)) {
    throw fail(
        Code::kInput, "{}: byte {}: {}: found {}, need UTF-8", where_, begin, what, in_quotes(out));
  }
  return out;
}

void HeaderJson::escape(std::string& out) {
  if (at_ >= text_.size()) wrong("escape", "a letter");
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const size_t known = kLetters.find(text_[at_]);
  if (known != kLetters.npos) {
    out += kMeanings[known];
    ++at_;
    return;
  }
  if (text_[at_] != 'u') wrong("escape", "one of \"\\/bfnrtu");
  ++at_;
  uint32_t code = hex4();
  if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xdc00 || low > 0xdfff) wrong("escape", "the second half of a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  if (code >= 0xd800 && code < 0xe000) wrong("escape", "a surrogate pair");
  append_utf8(out, static_cast<char32_t>(code));
}

uint32_t HeaderJson::hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    if (at_ >= text_.size()) wrong("escape", "four hexadecimal digits");
    const char c = text_[at_];
    const size_t digit = std::string_view("0123456789abcdef")
                             .find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
    if (digit == std::string_view::npos) wrong("escape", "four hexadecimal digits");
    value = value * 16 + static_cast<uint32_t>(digit);
  }
  return value;
}

std::vector<uint64_t> HeaderJson::integers(std::string_view what, size_t most) {
  std::vector<uint64_t> out;
  need('[', what);
  if (accept(']')) return out;
  do {
    if (out.size() == most) wrong(what, fmt::format("at most {} numbers", most));
    out.push_back(integer(what));
  } while (accept(','));
  if (!accept(']')) wrong(what, "\",\" or \"]\"");
  return out;
}

uint64_t HeaderJson::integer(std::string_view what) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr std::string_view kNeed = "an integer from 0 to 2^63 - 1";
  blanks();
  const size_t begin = at_;
  uint64_t value = 0;
  while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (value > (kMost - digit) / 10) wrong(what, kNeed);
    value = value * 10 + digit;
    ++at_;
  }
  const bool leading_zero = at_ - begin > 1 && text_[begin] == '0';
  const bool more = at_ < text_.size() && std::string_view(".eE").find(text_[at_]) != text_.npos;
  if (at_ == begin || leading_zero || more) wrong(what, kNeed);
  return value;
}

void HeaderJson::end() {
  blanks();
  if (at_ < text_.size()) wrong("header", "nothing after the closing brace");
}

}  // namespace keju
