// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"

namespace keju {

// A literal of Python as ast.literal_eval reads it: texts with their escapes (also side by side),
// whole numbers and decimals, None, True, False, lists, tuples (as lists), and dicts with texts as
// keys. Nothing for anything else (sets, bytes, complex numbers, expressions, over 64 levels).
// White space around it is let pass.
std::optional<Json> python_literal(std::string_view text);

}  // namespace keju
