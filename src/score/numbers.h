// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// A number inside a text, [begin, end) in bytes.
struct FoundNumber {
  size_t begin = 0, end = 0;
  std::string value;         // plain decimal: "-1234.5"
  bool list_marker = false;  // "2." or "3)" at the head of a line with more behind it
};

// The numbers of a text in order. Thousands separators are dropped (1,234; 1{,}234), 万 and 亿
// multiplied out, fractions and mixed numbers evaluated (3/4, 2 1/3, \frac{1}{2}, 4分之3), a
// percent sign dropped, powers of ten written out (3×10^5, 1.5e6). A minus sign counts where it
// cannot be a difference or a hyphen. Digits inside words (H2O) are none. Full-width digits must be
// folded before.
std::vector<FoundNumber> find_numbers(std::string_view text);

// The number that `text` is, apart from white space, a currency sign before it and a unit behind
// it.
std::optional<std::string> parse_number(std::string_view text);

// Plain decimals are equal as numbers: exactly, or within 1e-9 of the larger where one has more
// than twelve digits (a fraction that was cut).
bool same_number(const std::string& a, const std::string& b);

// A plain decimal without leading zeros, trailing zeros of its fraction, or a sign of zero.
std::string canonical_decimal(std::string_view digits);

// `value` as a plain decimal with fifteen significant digits, never with an exponent.
std::string plain_decimal(double value);

}  // namespace keju
