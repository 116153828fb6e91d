// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace keju {

// Replaces what a terminal, spreadsheet or reader's eye could be fooled by (control characters,
// bidirectional overrides, invalid UTF-8) by visible escapes such as \x1b or \u202e. Line breaks
// and tabs become \n and \t. A text of more than `most_code_points` is cut and ends in "…".
std::string visible(std::string_view text, size_t most_code_points = 100'000);

// One CSV cell by RFC 4180: visible, quoted where needed. A text that begins with = + - @ and is
// not a number gets an apostrophe in front, so that no spreadsheet takes it for a formula.
std::string csv_cell(std::string_view text);

}  // namespace keju
