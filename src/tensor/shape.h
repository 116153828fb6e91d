// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace keju {

// Shape letters mean one thing everywhere: B batch, T new tokens, S cached tokens, D width, H query
// heads, K kv heads, E head size, F feed-forward width, V vocabulary, L layers, R rows with logits.
// Outermost axis first.
using Shape = std::vector<int64_t>;

// Product of the axes; 1 for a scalar. Errors: Error(kShape) on a negative axis or past 2^62.
int64_t elements(const Shape& shape);

std::string to_string(const Shape& shape);  // "[2, 3]"

}  // namespace keju
