// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/table.h"

namespace keju {

// Fast mode in bfloat16: bf16_backend.h has the arithmetic. A row of activations lies as the high
// parts of its values and then the low parts, each with zeros up to a multiple of 32; rows are
// bf16_stride bytes apart.
constexpr int64_t bf16_groups(int64_t k) { return (k + 31) / 32; }
// An odd number of cache lines: sixteen rows of a tile then fall into sixteen sets of a cache.
constexpr int64_t bf16_stride(int64_t k) { return 64 * (2 * bf16_groups(k) + 1); }

// Groups of 32 k that are expanded and multiplied before results go back to memory.
inline constexpr int64_t kBf16Run = 32;

struct Bf16Kernels {
  void (*split_rows)(const float* x, int64_t x_stride, int64_t rows, int64_t k, std::byte* out) =
      nullptr;
  // args.packed: what split_rows wrote. Rows [row_begin, row_end), panels [panel_begin, panel_end).
  void (*tiles)(const LinearArgs& args,
                int64_t row_begin,
                int64_t row_end,
                int64_t panel_begin,
                int64_t panel_end,
                std::byte* scratch) = nullptr;
  int64_t scratch_bytes = 0;
};

const Bf16Kernels& avx512_amx_bf16_kernels();

}  // namespace keju
