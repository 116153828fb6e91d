// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "base/key_values.h"
#include "base/mapped_file.h"

namespace keju {

// Reads the metadata of a GGUF file for tests of layers that do not know the weights layer. Trusts
// the file; weights/gguf.h is the reader that does not.
class GgufMetadata {
 public:
  static KeyValues read(const std::filesystem::path& path) {
    const auto file = MappedFile::open(path);
    return GgufMetadata(file->bytes()).all(path.string());
  }

 private:
  explicit GgufMetadata(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  T number() {
    T value;
    KEJU_CHECK(sizeof value <= bytes_.size() - at_, "gguf: cut file");
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string string() {
    const auto size = number<uint64_t>();
    KEJU_CHECK(size <= bytes_.size() - at_, "gguf: cut file");
    std::string out(reinterpret_cast<const char*>(bytes_.data() + at_), size);
    at_ += size;
    return out;
  }
  KeyValue value(uint32_t type) {
    switch (type) {
      case 0:
        return int64_t{number<uint8_t>()};
      case 1:
        return int64_t{number<int8_t>()};
      case 2:
        return int64_t{number<uint16_t>()};
      case 3:
        return int64_t{number<int16_t>()};
      case 4:
        return int64_t{number<uint32_t>()};
      case 5:
        return int64_t{number<int32_t>()};
      case 6:
        return double{number<float>()};
      case 7:
        return number<uint8_t>() != 0;
      case 8:
        return string();
      case 9:
        return array();
      case 10:
        return static_cast<int64_t>(number<uint64_t>());
      case 11:
        return number<int64_t>();
      case 12:
        return number<double>();
      default:
        throw fail(Code::kInput, "gguf: found value type {}, need 0 to 12", type);
    }
  }
  KeyValue array() {
    const auto type = number<uint32_t>();
    const auto count = number<uint64_t>();
    if (type == 8) return items<std::string>(type, count);
    if (type == 6 || type == 12) return items<double>(type, count);
    if (type == 7) return items<bool>(type, count);
    return items<int64_t>(type, count);
  }
  template <typename T>
  std::vector<T> items(uint32_t type, uint64_t count) {
    std::vector<T> out;
    for (uint64_t i = 0; i < count; ++i) out.push_back(std::get<T>(value(type)));
    return out;
  }
  KeyValues all(const std::string& where) {
    at_ = 16;  // magic, version, tensor count
    const auto count = number<uint64_t>();
    KeyValues out(where);
    for (uint64_t i = 0; i < count; ++i) {
      std::string key = string();
      const auto type = number<uint32_t>();
      out.set(std::move(key), value(type));
    }
    return out;
  }

  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

}  // namespace keju
