// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/table.h"

namespace keju {

// Fast mode in integers whose products fit sums of 32 bits; w13_backend.h has the arithmetic.
//
// k goes in units of 32, the last filled up with zeros, and units in groups that share a scale.
inline constexpr int64_t kW13Unit = 32;
inline constexpr int64_t kW13GroupUnits = 8;
constexpr int64_t w13_units(int64_t k) { return (k + kW13Unit - 1) / kW13Unit; }
constexpr int64_t w13_groups(int64_t k) {
  return (w13_units(k) + kW13GroupUnits - 1) / kW13GroupUnits;
}
// The first unit of a group; groups differ in length by no more than one unit.
constexpr int64_t w13_first(int64_t k, int64_t group) {
  return w13_units(k) * group / w13_groups(k);
}

// What a group's codes may reach: alone, and as the root of the sum of their squares.
inline constexpr float kW13Largest = 32700;
inline constexpr float kW13Norm = 46280;
// Below this largest magnitude, a group counts as zeros: the inverse of its scale must be finite.
inline constexpr float kW13Tiny = 1e-30f;

// Codes lie in pairs, a dword each; the pairs of every four k are 0 with 2 and 1 with 3.
inline constexpr int64_t kW13Pairs = kW13Unit / 2;
inline constexpr int64_t kW13RowUnit = kW13Pairs * 4;  // bytes

// Few rows of activations: the codes of each row in one piece, and then its scales by group.
inline constexpr int64_t kW13DirectRows = 4;
constexpr int64_t w13_row_bytes(int64_t k) {
  return w13_units(k) * kW13RowUnit + w13_groups(k) * static_cast<int64_t>(sizeof(float));
}

// More rows, in blocks of up to kW13Rows that are as even as can be: for each group of k, for each
// block, [pair][kW13Rows]; after all groups the scales, a float for each [group][block][row].
inline constexpr int64_t kW13Rows = 12;
inline constexpr int64_t kW13BlockUnit = kW13Rows * kW13RowUnit;  // bytes
constexpr int64_t w13_blocks(int64_t rows) { return (rows + kW13Rows - 1) / kW13Rows; }
constexpr int64_t w13_code_bytes(int64_t rows, int64_t k) {
  return w13_blocks(rows) * w13_units(k) * kW13BlockUnit;
}
constexpr int64_t w13_bytes(int64_t rows, int64_t k) {
  return w13_code_bytes(rows, k) +
         w13_groups(k) * w13_blocks(rows) * kW13Rows * static_cast<int64_t>(sizeof(float));
}

// What a panel has after its weights: the scale of each group of each column.
constexpr int64_t w13_panel_extra(int64_t k) {
  return w13_groups(k) * kPanel * static_cast<int64_t>(sizeof(float));
}

struct W13Kernels {
  // Writes the scales of a panel.
  void (*measure)(const LinearArgs& args, int64_t panel, float* scales) = nullptr;
  // One row of k activations, for direct().
  void (*quantise_row)(const float* x, int64_t k, std::byte* out) = nullptr;
  // Blocks [block_begin, block_end) of `rows` rows of x, for tiles().
  void (*quantise)(const float* x,
                   int64_t x_stride,
                   int64_t rows,
                   int64_t k,
                   int64_t block_begin,
                   int64_t block_end,
                   std::byte* out) = nullptr;
  // args.packed: what quantise_row wrote, row after row.
  void (*direct)(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) = nullptr;
  // args.packed: what quantise wrote for args.rows rows. Scratch: aligned to 64.
  void (*tiles)(const LinearArgs& args,
                int64_t block_begin,
                int64_t block_end,
                int64_t panel_begin,
                int64_t panel_end,
                std::byte* scratch) = nullptr;
  int64_t scratch_bytes = 0;
};

const W13Kernels& avx512_vnni_w13_kernels();

}  // namespace keju
