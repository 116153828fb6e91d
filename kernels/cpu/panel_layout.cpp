// SPDX-License-Identifier: MIT
#include "kernels/cpu/panel_layout.h"

#include <cstddef>
#include <cstring>

#include "base/error.h"

namespace keju {
namespace {

constexpr int kColumns = 16;

// One block of a file, taken apart: codes in order of k, fields as they are.
struct Parts {
  uint8_t codes[256];
  uint8_t scales[16];
  uint8_t lows[16];
};

// Byte j of the nibbles holds value j below and value j + 16 above.
void split_nibbles(const uint8_t* q, uint8_t* codes) {
  for (int j = 0; j < 16; ++j) {
    codes[j] = q[j] & 15;
    codes[j + 16] = static_cast<uint8_t>(q[j] >> 4);
  }
}

void add_fifth_bits(const uint8_t* p, uint8_t* codes) {
  uint32_t bits = 0;
  std::memcpy(&bits, p, sizeof bits);
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>(((bits >> j) & 1u) << 4);
}

// 32 bytes hold 64 values: 32 below, 32 above.
void split_long_nibbles(const uint8_t* q, int bytes, uint8_t* codes) {
  for (int at = 0; at < bytes; at += 32, codes += 64) {
    for (int l = 0; l < 32; ++l) {
      codes[l] = q[at + l] & 15;
      codes[l + 32] = static_cast<uint8_t>(q[at + l] >> 4);
    }
  }
}

// 32 bytes hold 128 values, two bits each: value 32·s + l at bits 2s of byte l.
void split_pairs(const uint8_t* q, int bytes, uint8_t* codes) {
  for (int at = 0; at < bytes; at += 32, codes += 128) {
    for (int s = 0; s < 4; ++s) {
      for (int l = 0; l < 32; ++l) codes[32 * s + l] = (q[at + l] >> (2 * s)) & 3;
    }
  }
}

// Eight six-bit scales and minima in twelve bytes; see base/block_codec.cpp.
void split_scale_min(const uint8_t* p, Parts& parts) {
  for (int g = 0; g < 4; ++g) {
    parts.scales[g] = p[g] & 63;
    parts.lows[g] = p[g + 4] & 63;
    parts.scales[g + 4] = static_cast<uint8_t>((p[g + 8] & 15) | (p[g] >> 6) << 4);
    parts.lows[g + 4] = static_cast<uint8_t>((p[g + 8] >> 4) | (p[g + 4] >> 6) << 4);
  }
}

void split_q3_k(const uint8_t* b, Parts& parts) {
  split_pairs(b + 32, 64, parts.codes);
  for (int k = 0; k < 256; ++k) {
    parts.codes[k] |= static_cast<uint8_t>(((b[k % 32] >> (k / 32)) & 1) << 2);
  }
  const uint8_t* packed = b + 96;
  for (int g = 0; g < 16; ++g) {
    const int low = (packed[g % 8] >> (g / 8 * 4)) & 15;
    const int high = (packed[8 + g % 4] >> (g / 4 * 2)) & 3;
    parts.scales[g] = static_cast<uint8_t>((low | high << 4) - 32);
  }
}

void split_q6_k(const uint8_t* b, Parts& parts) {
  for (int half = 0; half < 2; ++half) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int l = 0; l < 32; ++l) {
        const int low = b[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4);
        const int high = b[128 + half * 32 + l] >> (quarter * 2);
        parts.codes[128 * half + 32 * quarter + l] =
            static_cast<uint8_t>((low & 15) | (high & 3) << 4);
      }
    }
  }
  std::memcpy(parts.scales, b + 192, 16);
}

// Takes a block apart; d and m (or null) point into it.
struct Halves {
  const uint8_t* d = nullptr;
  const uint8_t* m = nullptr;
};
Halves split(DType type, const uint8_t* b, Parts& parts) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kIQ4_NL:
      split_nibbles(b + 2, parts.codes);
      return {b, nullptr};
    case DType::kQ4_1:
      split_nibbles(b + 4, parts.codes);
      return {b, b + 2};
    case DType::kQ5_0:
      split_nibbles(b + 6, parts.codes);
      add_fifth_bits(b + 2, parts.codes);
      return {b, nullptr};
    case DType::kQ5_1:
      split_nibbles(b + 8, parts.codes);
      add_fifth_bits(b + 4, parts.codes);
      return {b, b + 2};
    case DType::kQ8_0:
      std::memcpy(parts.codes, b + 2, 32);
      return {b, nullptr};
    case DType::kQ2_K:
      split_pairs(b + 16, 64, parts.codes);
      std::memcpy(parts.scales, b, 16);
      return {b + 80, b + 82};
    case DType::kQ3_K:
      split_q3_k(b, parts);
      return {b + 108, nullptr};
    case DType::kQ4_K:
      split_long_nibbles(b + 16, 128, parts.codes);
      split_scale_min(b + 4, parts);
      return {b, b + 2};
    case DType::kQ5_K:
      split_long_nibbles(b + 48, 128, parts.codes);
      for (int k = 0; k < 256; ++k) {
        parts.codes[k] |= static_cast<uint8_t>(((b[16 + k % 32] >> (k / 32)) & 1) << 4);
      }
      split_scale_min(b + 4, parts);
      return {b, b + 2};
    case DType::kQ6_K:
      split_q6_k(b, parts);
      return {b + 208, nullptr};
    default:
      KEJU_CHECK(false, "not a block type");
  }
}

void put_header(DType type, const Halves& halves, const Parts& parts, int column, uint8_t* header) {
  std::memcpy(header + 2 * column, halves.d, 2);
  if (halves.m != nullptr) std::memcpy(header + 32 + 2 * column, halves.m, 2);
  uint8_t* scales = header + (halves.m != nullptr ? 64 : 32) + column;
  const bool six_bits = type == DType::kQ4_K || type == DType::kQ5_K;
  const int groups = six_bits ? 8 : panel_layout(type).sub == 16 ? 16 : 0;
  for (int g = 0; g < groups; ++g) {
    scales[16 * g] = parts.scales[g];
    if (six_bits) scales[128 + 16 * g] = parts.lows[g];
  }
}

// Where the bits of a code go; see the header.
struct Planes {
  int nibbles = -1, bytes = -1, pairs = -1, singles = -1;  // byte offset in a unit, or not there
  int pair_shift = 0, single_shift = 0;                    // which bits of the code they take
};
constexpr Planes planes_of(DType type) {
  switch (type) {
    case DType::kQ8_0:
      return {-1, 0, -1, -1, 0, 0};
    case DType::kQ2_K:
      return {-1, -1, 0, -1, 0, 0};
    case DType::kQ3_K:
      return {-1, -1, 0, 128, 0, 2};
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return {0, -1, -1, 256, 0, 4};
    case DType::kQ6_K:
      return {0, -1, 256, -1, 4, 0};
    default:
      return {0, -1, -1, -1, 0, 0};
  }
}

void put_unit(const Planes& planes, const uint8_t* codes, int column, uint8_t* unit) {
  for (int k = 0; k < 32; ++k) {
    const int octet = k / 8;
    const int odd = k / 4 % 2;
    const int set = 2 * octet + odd;
    const int at = 4 * column + k % 4;
    const int code = codes[k];
    const auto put = [](uint8_t& byte, int bits) { byte |= static_cast<uint8_t>(bits); };
    if (planes.bytes >= 0) put(unit[planes.bytes + 64 * set + at], code);
    if (planes.nibbles >= 0) put(unit[planes.nibbles + 64 * octet + at], (code & 15) << (4 * odd));
    if (planes.pairs >= 0) {
      put(unit[planes.pairs + 64 * (set / 4) + at],
          ((code >> planes.pair_shift) & 3) << (2 * (set % 4)));
    }
    if (planes.singles >= 0) {
      put(unit[planes.singles + at], ((code >> planes.single_shift) & 1) << set);
    }
  }
}

}  // namespace

int64_t panel_bytes(DType type, int64_t cols) {
  const PanelLayout layout = panel_layout(type);
  if (layout.unit == 0) return kColumns * row_bytes(type, cols);
  KEJU_CHECK(cols % layout.block == 0, "whole blocks");
  return cols / layout.block * (layout.header + layout.block / 32 * layout.unit);
}

void pack_panel(DType type, const std::byte* const (&sources)[16], int64_t cols, std::byte* panel) {
  const PanelLayout layout = panel_layout(type);
  if (layout.unit == 0) {
    const size_t size = static_cast<size_t>(facts(type).block_bytes);
    for (size_t c = 0; c < kColumns; ++c) {
      if (sources[c] == nullptr) continue;
      for (size_t k = 0; k < static_cast<size_t>(cols); ++k) {
        std::memcpy(panel + (k * kColumns + c) * size, sources[c] + k * size, size);
      }
    }
    return;
  }
  const Planes planes = planes_of(type);
  const int64_t file_block = facts(type).block_bytes;
  const int64_t block_bytes = layout.header + layout.block / 32 * layout.unit;
  Parts parts{};
  for (int64_t b = 0; b < cols / layout.block; ++b) {
    uint8_t* const to = reinterpret_cast<uint8_t*>(panel + b * block_bytes);
    for (int c = 0; c < kColumns; ++c) {
      if (sources[c] == nullptr) continue;
      const auto* block = reinterpret_cast<const uint8_t*>(sources[c] + b * file_block);
      put_header(type, split(type, block, parts), parts, c, to);
      for (int u = 0; u < layout.block / 32; ++u) {
        put_unit(planes, parts.codes + 32 * u, c, to + layout.header + u * layout.unit);
      }
    }
  }
}

}  // namespace keju
