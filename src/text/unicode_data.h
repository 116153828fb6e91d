// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace keju {

// Generated tables (scripts/make_unicode_tables.py): each row begins a range that lasts until the
// next row; text/unicode.h is what the rest of the program uses.
extern const uint32_t kCategoryRanges[];
extern const size_t kCategoryRangesSize;
extern const uint32_t kNotNfcRanges[];
extern const size_t kNotNfcRangesSize;

}  // namespace keju
