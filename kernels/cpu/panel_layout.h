// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/dtype.h"

// How weights lie in memory for the vector kernels. The rows of a matrix (columns of the result)
// are taken sixteen at a time: a panel. Within a panel k ascends, so a product reads memory in one
// direction, and every sixteen-fold field has one entry per column of the panel.
//
// F32, F16, BF16: [k][16] of the stored type.
// Block types: per block of the file's own block length, a header and then units of 32 values.
//   header  f16 d[16]; then, where the type has them, f16 m[16] (or dmin[16]);
//           then the sub-block scales, a byte each: Q4_K, Q5_K u8 scale[8][16], u8 min[8][16];
//           Q3_K, Q6_K i8 scale[16][16]; Q2_K u8 (scale | min << 4)[16][16].
//   unit    codes in octets of k. In octet o, dword c belongs to column c, and its byte i to
//           k = 8o + i ("even") and k = 8o + 4 + i ("odd"); s = 2o (even) or 2o + 1 (odd):
//     8 bits    [8][16] dwords, even and odd in turn, signed
//     4 bits    [4][16] dwords, even in the low nibbles, odd in the high ones
//     +1 bit    [16] dwords more, bit s of byte i
//     +2 bits   [2][16] dwords more, dword s/4, bits 2(s%4) and up of byte i
//     2 bits    [2][16] dwords, as "+2 bits"; Q3_K has a "+1 bit" plane after them
// The bytes are those of the file but for six-bit scales, which become whole bytes (+3 %).
namespace keju {

struct PanelLayout {
  int block = 1;   // values of k per block
  int sub = 1;     // values that share a scale
  int header = 0;  // bytes per panel block
  int unit = 0;    // bytes per 32 values of a panel block
};

constexpr PanelLayout panel_layout(DType type) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kIQ4_NL:
      return {32, 32, 32, 256};
    case DType::kQ4_1:
      return {32, 32, 64, 256};
    case DType::kQ5_0:
      return {32, 32, 32, 320};
    case DType::kQ5_1:
      return {32, 32, 64, 320};
    case DType::kQ8_0:
      return {32, 32, 32, 512};
    case DType::kQ2_K:
      return {256, 16, 64 + 256, 128};
    case DType::kQ3_K:
      return {256, 16, 32 + 256, 192};
    case DType::kQ4_K:
      return {256, 32, 64 + 256, 256};
    case DType::kQ5_K:
      return {256, 32, 64 + 256, 320};
    case DType::kQ6_K:
      return {256, 16, 32 + 256, 384};
    default:
      return {};
  }
}

// Bytes of one panel of `cols` values per column.
int64_t panel_bytes(DType type, int64_t cols);

// Writes one panel. sources[c]: the stored row of column c, or null for a column that is not there.
void pack_panel(DType type, const std::byte* const (&sources)[16], int64_t cols, std::byte* panel);

}  // namespace keju
