// SPDX-License-Identifier: MIT
#include "text/vocab.h"

#include <array>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {

std::string_view Vocab::keep(std::string_view text) {
  if (text.empty()) return {};
  constexpr size_t kChunk = 1 << 18;
  if (text.size() > arena_left_) {
    const size_t size = std::max(kChunk, text.size());
    arena_.push_back(std::make_unique<char[]>(size));
    arena_next_ = arena_.back().get();
    arena_left_ = size;
  }
  char* const at = arena_next_;
  std::memcpy(at, text.data(), text.size());
  arena_next_ += text.size();
  arena_left_ -= text.size();
  return {at, text.size()};
}

void Vocab::add(std::string_view spelling, TokenId id, std::string_view where) {
  if (id < 0 || id > kMaxId) {
    throw fail(
        Code::kInput, "{}: token \"{}\": found id {}, need 0 to {}", where, spelling, id, kMaxId);
  }
  const auto index = static_cast<size_t>(id);
  if (has(id)) {
    if (spellings_[index] == spelling) return;
    throw fail(Code::kInput,
               "{}: id {}: found \"{}\" and \"{}\", need one spelling",
               where,
               id,
               spellings_[index],
               spelling);
  }
  if (index >= spellings_.size()) {
    spellings_.resize(index + 1);
    used_.resize(index + 1);
  }
  spellings_[index] = keep(spelling);
  used_[index] = true;
  table_.insert(spelling, id, [this](TokenId other) { return this->spelling(other); });
}

namespace {

bool printable(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct StandIns {
  std::array<char32_t, 256> of_byte{};
  std::array<int16_t, 0x144> of_code{};
  StandIns() {
    of_code.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t code = printable(byte) ? static_cast<char32_t>(byte) : next++;
      of_byte[static_cast<size_t>(byte)] = code;
      of_code[code] = static_cast<int16_t>(byte);
    }
  }
};

const StandIns& stand_ins() {
  static const StandIns table;
  return table;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

int byte_of_stand_in(char32_t code) {
  const StandIns& table = stand_ins();
  return code < table.of_code.size() ? table.of_code[code] : -1;
}

char32_t stand_in_of_byte(uint8_t byte) { return stand_ins().of_byte[byte]; }

bool bytes_from_stand_ins(std::string_view spelling, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < spelling.size();) {
    const int byte = byte_of_stand_in(next_code_point(spelling, at));
    if (byte < 0) return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

std::string stand_ins_from_bytes(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(out, stand_in_of_byte(static_cast<uint8_t>(byte)));
  return out;
}

int byte_of_fallback(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling.back() != '>') return -1;
  const int high = hex_digit(spelling[3]);
  const int low = hex_digit(spelling[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string fallback_of_byte(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

}  // namespace keju
