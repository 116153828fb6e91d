// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// An answer of MATH in the form in which two spellings of it are compared as strings (Hendrycks et
// al. 2021, math_equivalence.py): without spacing, \left and \right, degrees, dollar and percent
// signs, with fractions and roots in braces, 0.5 and a/b as \frac.
std::string math_form(std::string_view answer);

}  // namespace keju
