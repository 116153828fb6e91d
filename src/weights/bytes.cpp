// SPDX-License-Identifier: MIT
#include "weights/bytes.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {

std::string in_quotes(std::string_view text) {
  constexpr size_t kShown = 96;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    if (c < 0x20 || c > 0x7e) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  out += text.size() > kShown ? "…\"" : "\"";
  return out;
}

bool plausible_name(std::string_view text, uint64_t limit) {
  if (text.empty() || text.size() > limit) return false;
  const auto control = [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; };
  return std::none_of(text.begin(), text.end(), control) && valid_utf8(text);
}

std::string ByteReader::here() const { return fmt::format("{}: byte {}", where_, offset_); }

void ByteReader::seek(uint64_t offset, std::string_view what) {
  if (offset > bytes_.size()) {
    throw fail(Code::kInput,
               "{}: {}: found offset {}, need one inside the file's {} bytes",
               where_,
               what,
               offset,
               bytes_.size());
  }
  offset_ = offset;
}

std::span<const std::byte> ByteReader::take(uint64_t count, std::string_view what) {
  if (count > remaining()) {
    throw fail(Code::kInput,
               "{}: {}: found {} bytes up to the end of the file, need {}",
               here(),
               what,
               remaining(),
               count);
  }
  const auto taken = bytes_.subspan(offset_, count);
  offset_ += count;
  return taken;
}

std::string_view ByteReader::text(uint64_t count, std::string_view what) {
  const auto taken = take(count, what);
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

}  // namespace keju
