// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

namespace keju {

// Expands one row of `elems` stored values to float32. This is the definition that every faster
// expansion is compared with, bit for bit: each value is computed by the formula of its format
// (d·q, d·q + m, d·scale·q − dmin·min …) in float32, one rounding per operation, no fusing.
//
// Shapes  source: row_bytes(type, elems) bytes, any alignment; out: elems floats.
// Source  ggml-quants.c dequantize_row_* (llama.cpp, autumn 2026); gguf-py/gguf/quants.py.
void expand_row(DType type, const std::byte* source, int64_t elems, float* out);

}  // namespace keju
