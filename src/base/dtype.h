// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace keju {

// Element types of weights as they lie in files. Block types follow ggml's layouts
// (ggml-common.h and gguf-py/gguf/constants.py, gguf 0.17): `block_elems` values share
// `block_bytes` bytes, and a row is a whole number of blocks.
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
};

struct DTypeFacts {
  DType type;
  std::string_view name;  // the field's spelling: "F32", "Q4_K"
  int block_elems;        // values per block; 1 for plain types
  int block_bytes;
};

const DTypeFacts& facts(DType type);
std::string_view name(DType type);
std::span<const DTypeFacts> all_dtypes();

// Bytes of a row of `elems` values. Errors: Error(kShape) unless elems is a multiple of the block.
int64_t row_bytes(DType type, int64_t elems);

float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);  // round to nearest even
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);  // round to nearest even

}  // namespace keju
