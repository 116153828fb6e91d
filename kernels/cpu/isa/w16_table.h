// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/table.h"

namespace keju {

// Fast mode in 16-bit integers on both sides; w16_backend.h has the arithmetic.
//
// k goes in steps of 64, the last filled up with zeros, and steps in groups that share a scale.
inline constexpr int64_t kW16Step = 64;
// Sums of products of the parts of 512 codes are whole numbers below 2^24: a float holds them.
inline constexpr int64_t kW16GroupSteps = 6;
constexpr int64_t w16_steps(int64_t k) { return (k + kW16Step - 1) / kW16Step; }
constexpr int64_t w16_groups(int64_t k) {
  return (w16_steps(k) + kW16GroupSteps - 1) / kW16GroupSteps;
}
// The first step of a group; groups differ in length by no more than one step.
constexpr int64_t w16_first(int64_t k, int64_t group) {
  return w16_steps(k) * group / w16_groups(k);
}

// The largest code: 256·high + low with both in int8 reaches it.
inline constexpr float kW16Largest = 127 * 256;
// Two codes' product, 256·256·hh + 256·(hl + lh), is summed as 256·hh + (hl + lh): the scale of the
// weights makes up for it.
inline constexpr float kW16WeightLargest = kW16Largest / 256;
// Below this largest magnitude, a group counts as zeros: its inverse scale must be finite.
inline constexpr float kW16Tiny = 1e-30f;

// Activations, in blocks of sixteen rows: for each group of k, for each block, for each step the
// high bytes of the codes [16 rows][64] and then the low ones; after all groups the scales, a float
// for each [group][block][row]. Four codes in a row of k lie as k, k + 2, k + 1, k + 3.
inline constexpr int64_t kW16Rows = 16;
constexpr int64_t w16_blocks(int64_t rows) { return (rows + kW16Rows - 1) / kW16Rows; }
constexpr int64_t w16_code_bytes(int64_t rows, int64_t k) {
  return w16_blocks(rows) * w16_steps(k) * (2 * kW16Rows * kW16Step);
}
constexpr int64_t w16_bytes(int64_t rows, int64_t k) {
  return w16_code_bytes(rows, k) +
         w16_groups(k) * w16_blocks(rows) * kW16Rows * static_cast<int64_t>(sizeof(float));
}

// Up to so many rows are multiplied straight from the stored weights, without tiles; the bits are
// the same. A row is then [k in whole steps] high parts as words, as many low ones, a float scale
// for each group, and for each group what its sums hold too much, as dwords.
inline constexpr int64_t kW16FewRows = 4;
constexpr int64_t w16_few_bytes(int64_t k) {
  return w16_steps(k) * kW16Step * 4 + (w16_groups(k) * 8 + 63) / 64 * 64;
}

// What a panel has after its weights: the largest magnitude of each group of each column.
constexpr int64_t w16_panel_extra(int64_t k) {
  return w16_groups(k) * kPanel * static_cast<int64_t>(sizeof(float));
}

struct W16Kernels {
  // Writes the largest magnitudes of a panel; infinity for what is not finite.
  void (*measure)(const LinearArgs& args, int64_t panel, float* largest) = nullptr;
  // Blocks [block_begin, block_end) of `rows` rows of x. Nothing is written for rows of a block
  // that are not there.
  void (*quantise)(const float* x,
                   int64_t x_stride,
                   int64_t rows,
                   int64_t k,
                   int64_t block_begin,
                   int64_t block_end,
                   std::byte* out) = nullptr;
  // args.packed: what quantise wrote for args.rows rows.
  void (*tiles)(const LinearArgs& args,
                int64_t block_begin,
                int64_t block_end,
                int64_t panel_begin,
                int64_t panel_end,
                std::byte* scratch) = nullptr;
  // Aligned to 64.
  int64_t (*scratch_bytes)(int64_t blocks) = nullptr;
};

struct W16FewKernels {
  // w16_few_bytes(k) for each row.
  void (*quantise)(const float* x, int64_t x_stride, int64_t rows, int64_t k, std::byte* out) =
      nullptr;
  // args.packed: what quantise wrote.
  void (*multiply)(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) = nullptr;
};

const W16Kernels& avx512_amx_w16_kernels();
const W16FewKernels& avx512_vnni_w16_few_kernels();

}  // namespace keju
