// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "model/descriptor.h"

namespace keju {

// cos and sin of every (position, pair), each [positions, rope.dim / 2]. Frequencies and angles are
// rounded to float32 where transformers rounds them; cos and sin are taken in double of the rounded
// angle and rounded once. `regime` is Descriptor::rope_regime of the text.
struct RopeTable {
  std::vector<float> cos, sin;
};
RopeTable make_rope_table(const Rope& rope, int64_t positions, int64_t regime);

}  // namespace keju
