// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace keju {

static_assert(std::endian::native == std::endian::little, "files are read as little-endian");

// Bounds that no honest checkpoint comes near; they keep hostile ones cheap.
constexpr uint64_t kMaxTensorName = 1024;
constexpr uint64_t kMaxTensorsPerFile = uint64_t{1} << 18;
constexpr size_t kMaxAxes = 8;

// `text` in double quotes for a message: bytes outside printable ASCII as \xNN, cut after 96 bytes.
std::string in_quotes(std::string_view text);

// True if `text` can be a tensor's name or a key: 1 to `limit` bytes of UTF-8 without control
// characters.
bool plausible_name(std::string_view text, uint64_t limit);

// a * b and a + b; false if the result does not fit 64 bits.
inline bool multiply(uint64_t a, uint64_t b, uint64_t& out) {
  return !__builtin_mul_overflow(a, b, &out);
}
inline bool add(uint64_t a, uint64_t b, uint64_t& out) {
  return !__builtin_add_overflow(a, b, &out);
}

// Little-endian values from bytes that nobody vouches for. Every read is checked against the end
// first. Errors: Error(kInput) `where: byte N: what: found M bytes, need K`.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view where)
      : bytes_(bytes), where_(where) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& where() const { return where_; }
  std::string here() const;  // "where: byte N"

  void seek(uint64_t offset, std::string_view what);

  template <typename T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> take(uint64_t count, std::string_view what);
  std::string_view text(uint64_t count, std::string_view what);

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  uint64_t offset_ = 0;
};

}  // namespace keju
