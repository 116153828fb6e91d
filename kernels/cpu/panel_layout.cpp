// SPDX-License-Identifier: MIT
#include "kernels/cpu/panel_layout.h"

#include <cstddef>
#include <cstring>

#include "base/error.h"
#include "kernels/cpu/block_parts.h"

namespace keju {
namespace {

constexpr int kColumns = 16;

bool has_low(DType type) {
  return type == DType::kQ4_1 || type == DType::kQ5_1 || type == DType::kQ2_K ||
         type == DType::kQ4_K || type == DType::kQ5_K;
}

void put_header(DType type, const BlockParts& parts, int column, uint8_t* header) {
  std::memcpy(header + 2 * column, &parts.d, 2);
  if (has_low(type)) std::memcpy(header + 32 + 2 * column, &parts.m, 2);
  uint8_t* scales = header + (has_low(type) ? 64 : 32) + column;
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
  BlockParts parts{};
  for (int64_t b = 0; b < cols / layout.block; ++b) {
    uint8_t* const to = reinterpret_cast<uint8_t*>(panel + b * block_bytes);
    for (int c = 0; c < kColumns; ++c) {
      if (sources[c] == nullptr) continue;
      const auto* block = reinterpret_cast<const uint8_t*>(sources[c] + b * file_block);
      split_block(type, block, parts);
      put_header(type, parts, c, to);
      for (int u = 0; u < layout.block / 32; ++u) {
        put_unit(planes, parts.codes + 32 * u, c, to + layout.header + u * layout.unit);
      }
    }
  }
}

}  // namespace keju
