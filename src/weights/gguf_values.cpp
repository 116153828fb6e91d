// SPDX-License-Identifier: MIT
#include "weights/gguf_values.h"

#include <limits>

#include "base/error.h"

namespace keju {
namespace {

constexpr uint64_t kMaxString = uint64_t{16} << 20;
constexpr uint64_t kMaxMetadataBytes = uint64_t{256} << 20;

// Bytes of one stored value; a string is at least its length. 0: no such type.
uint64_t least_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
    case GgufType::kString:
      return 8;
    case GgufType::kArray:
      break;
  }
  return 0;
}

bool is_real(GgufType type) { return type == GgufType::kF32 || type == GgufType::kF64; }

}  // namespace

KeyValue GgufValueReader::value(GgufType type, std::string_view key) {
  if (type == GgufType::kArray) return array(key);
  if (type == GgufType::kString) return string(key);
  if (type == GgufType::kBool) return boolean(key);
  if (is_real(type)) return real(type, key);
  return integer(type, key);
}

KeyValue GgufValueReader::array(std::string_view key) {
  const std::string what = fmt::format("key {}: array", in_quotes(key));
  const std::string here = in_.here();
  const auto type = static_cast<GgufType>(in_.number<uint32_t>(what));
  if (type == GgufType::kArray) {
    throw fail(
        Code::kUnsupported, "{}: {}: found arrays in an array, need plain values", here, what);
  }
  const uint64_t each = least_bytes(type);
  if (each == 0) {
    throw fail(Code::kInput,
               "{}: {}: found value type {}, need 0 to 12",
               here,
               what,
               static_cast<uint32_t>(type));
  }
  const uint64_t count = in_.number<uint64_t>(what);
  if (count > in_.remaining() / each) {
    throw fail(Code::kInput,
               "{}: {}: found {} values in the {} bytes that are left, need at most {}",
               in_.here(),
               what,
               count,
               in_.remaining(),
               in_.remaining() / each);
  }
  spend(count * (type == GgufType::kString ? sizeof(std::string) : 8), key);
  const auto fill = [&](auto list, auto read) {
    list.reserve(count);
    for (uint64_t i = 0; i < count; ++i) list.push_back(read());
    return KeyValue(std::move(list));
  };
  if (type == GgufType::kString)
    return fill(std::vector<std::string>(), [&] { return string(key); });
  if (type == GgufType::kBool) return fill(std::vector<bool>(), [&] { return boolean(key); });
  if (is_real(type)) return fill(std::vector<double>(), [&] { return real(type, key); });
  return fill(std::vector<int64_t>(), [&] { return integer(type, key); });
}

int64_t GgufValueReader::integer(GgufType type, std::string_view key) {
  const std::string_view what = "integer value";
  switch (type) {
    case GgufType::kU8:
      return in_.number<uint8_t>(what);
    case GgufType::kI8:
      return in_.number<int8_t>(what);
    case GgufType::kU16:
      return in_.number<uint16_t>(what);
    case GgufType::kI16:
      return in_.number<int16_t>(what);
    case GgufType::kU32:
      return in_.number<uint32_t>(what);
    case GgufType::kI32:
      return in_.number<int32_t>(what);
    case GgufType::kI64:
      return in_.number<int64_t>(what);
    case GgufType::kU64: {
      const std::string here = in_.here();
      const uint64_t value = in_.number<uint64_t>(what);
      if (value <= uint64_t{std::numeric_limits<int64_t>::max()})
        return static_cast<int64_t>(value);
      throw fail(
          Code::kInput, "{}: key {}: found {}, need at most 2^63 - 1", here, in_quotes(key), value);
    }
    default:
      throw fail(Code::kInput,
                 "{}: key {}: found value type {}, need 0 to 12",
                 in_.here(),
                 in_quotes(key),
                 static_cast<uint32_t>(type));
  }
}

double GgufValueReader::real(GgufType type, std::string_view) {
  if (type == GgufType::kF32) return static_cast<double>(in_.number<float>("float32 value"));
  return in_.number<double>("float64 value");
}

bool GgufValueReader::boolean(std::string_view key) {
  const std::string here = in_.here();
  const uint8_t value = in_.number<uint8_t>("boolean value");
  if (value <= 1) return value == 1;
  throw fail(
      Code::kInput, "{}: key {}: found boolean {}, need 0 or 1", here, in_quotes(key), value);
}

std::string GgufValueReader::string(std::string_view key) {
  const std::string_view found = text(kMaxString, "string value");
  spend(found.size(), key);
  return std::string(found);
}

std::string_view GgufValueReader::text(uint64_t limit, std::string_view what) {
  const std::string here = in_.here();
  const uint64_t length = in_.number<uint64_t>(what);
  if (length > limit && length <= in_.remaining()) {
    throw fail(Code::kInput, "{}: {}: found {} bytes, need at most {}", here, what, length, limit);
  }
  return in_.text(length, what);
}

void GgufValueReader::spend(uint64_t bytes, std::string_view key) {
  spent_bytes_ += bytes;
  if (spent_bytes_ <= kMaxMetadataBytes) return;
  throw fail(Code::kInput,
             "{}: key {}: found more than {} MiB of metadata, need at most that",
             in_.here(),
             in_quotes(key),
             kMaxMetadataBytes >> 20);
}

}  // namespace keju
