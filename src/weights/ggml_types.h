// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/dtype.h"

namespace keju {

// The element type behind a GGUF type number, if this program computes with it.
std::optional<DType> ggml_dtype(uint32_t number);

// The type's name, for types that it does not know too: "IQ2_XXS", "Q4_2 (removed from the
// format)", "number 77".
std::string ggml_type_name(uint32_t number);

// The inverse of ggml_dtype.
uint32_t ggml_type_number(DType type);

}  // namespace keju
