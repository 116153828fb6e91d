// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace keju {

// Reads the fields of one protocol-buffer message (wire format, proto2/3).
class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  struct Field {
    uint32_t number = 0;
    uint64_t value = 0;      // varint, or the bits of a fixed field
    std::string_view bytes;  // of a length-delimited field
    float as_float() const;
  };
  // False at the end. Errors: Error(kInput) for a cut or malformed field.
  bool next(Field& field);

 private:
  uint64_t varint();
  std::string_view take(uint64_t count);
  std::string_view bytes_;
  std::string_view where_;
  size_t at_ = 0;
};

}  // namespace keju
