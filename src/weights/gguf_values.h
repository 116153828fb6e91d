// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/key_values.h"
#include "weights/bytes.h"

namespace keju {

// Type numbers of GGUF metadata values.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// Reads metadata values and keeps their total memory within a fixed budget.
class GgufValueReader {
 public:
  explicit GgufValueReader(ByteReader& in) : in_(in) {}

  // A value of `type`, which the file says for `key`.
  KeyValue value(GgufType type, std::string_view key);

  // Counts `bytes` of memory for `key`. Errors: Error(kInput) when the budget is spent.
  void spend(uint64_t bytes, std::string_view key);

  // A length-prefixed string of at most `limit` bytes.
  std::string_view text(uint64_t limit, std::string_view what);

 private:
  KeyValue array(std::string_view key);
  int64_t integer(GgufType type, std::string_view key);
  double real(GgufType type, std::string_view key);
  bool boolean(std::string_view key);
  std::string string(std::string_view key);

  ByteReader& in_;
  uint64_t spent_bytes_ = 0;
};

}  // namespace keju
