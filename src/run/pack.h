// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lm/language_model.h"
#include "score/outcome.h"

namespace keju {

// Appends values to a byte string in one unambiguous form: integers and the bits of floating-point
// numbers little-endian, strings and lists behind their length. What is hashed and what is stored
// in blobs uses this form, so that equal bytes mean equal bits.
class Packer {
 public:
  void u8(uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void i64(int64_t value);
  void f64(double value);
  void f32(float value);
  void text(std::string_view value);
  void f64s(const std::vector<double>& values);
  void f32s(const std::vector<float>& values);
  void ids(const std::vector<TokenId>& values);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what Packer wrote. Errors: Error(kInput), beginning with `where`, if the bytes end early or
// a length exceeds what is left; `end` if bytes are left over.
class Unpacker {
 public:
  Unpacker(std::string_view bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}
  uint8_t u8();
  int64_t i64();
  double f64();
  float f32();
  std::string text();
  std::vector<double> f64s();
  std::vector<float> f32s();
  std::vector<TokenId> ids();
  void end() const;
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  uint64_t little_endian(size_t count);
  size_t length(size_t element_bytes);
  std::string_view bytes_;
  std::string where_;
};

// What a model answered, without id, error and timing.
void pack(Packer& out, const Response& response);
void unpack(Unpacker& in, Response& response);

// What became of an item.
void pack(Packer& out, const Outcome& outcome);
Outcome unpack_outcome(Unpacker& in);

}  // namespace keju
