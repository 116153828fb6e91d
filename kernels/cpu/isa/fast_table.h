// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/cpu/isa/table.h"

namespace keju {

// Fast mode for block types: activations in int16, by blocks of 32 with a scale each, against the
// stored codes. fast_backend.h has the arithmetic.
//
// Activations of a row block of kFastRows rows lie as, per 32 of k: codes [8][kFastRows][4], as the
// kernels like them (two bytes a code), then float scale[kFastRows], then two extras per row,
// [2][kFastRows], one for each half of the 32 or (types with scales per 32) the first for all:
// -kBias·Σ codes as an integer where codes are centred, scale·Σ codes as a float where values are
// s·code + m.
inline constexpr int kFastRows = 6;
inline constexpr int64_t kFastCodes = kFastRows * 64;  // bytes per 32 of k
inline constexpr int64_t kFastStep = kFastCodes + kFastRows * (4 + 8);
inline constexpr int64_t kFastChunk = 512;     // k whose codes are unpacked at a time
inline constexpr int64_t kFastDirectRows = 2;  // up to which codes are unpacked on the way

// The largest code: 256·high + low with both in int8 reaches it.
inline constexpr float kFastLargest = 127 * 256;

// Below this largest magnitude, 32 activations count as zeros: their inverse scale must be finite.
inline constexpr float kFastTiny = 1e-30f;

struct FastKernels {
  // Rows [block_start(begin), …) of x, quantised for weights of `dtype`.
  void (*quantise)(const float* x,
                   int64_t x_stride,
                   int64_t rows,
                   int64_t k,
                   DType dtype,
                   int64_t block_begin,
                   int64_t block_end,
                   std::byte* out) = nullptr;
  // args.packed: what quantise wrote.
  void (*direct)(const LinearArgs& args, int64_t panel_begin, int64_t panel_end) = nullptr;
  void (*tiles)(const LinearArgs& args,
                int64_t block_begin,
                int64_t block_end,
                int64_t panel_begin,
                int64_t panel_end,
                std::byte* scratch) = nullptr;
  int64_t scratch_bytes = 0;
};

const FastKernels& avx512_vnni_fast_kernels();

}  // namespace keju
