// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace keju {

// One block of a block type, taken apart but not yet computed with: what every layout and every
// arithmetic on it starts from. base/block_codec.h defines what the parts mean.
struct BlockParts {
  // In order of k. Unsigned, but for Q8_0, whose codes are two's complement.
  uint8_t codes[256];
  uint8_t scales[16];  // of the sub-blocks, as stored (Q3_K and Q6_K: two's complement)
  uint8_t lows[16];    // minima of the sub-blocks (Q4_K, Q5_K)
  uint16_t d;          // float16
  uint16_t m;          // m or dmin, float16; 0 where there is none
};

void split_block(DType type, const uint8_t* block, BlockParts& parts);

}  // namespace keju
