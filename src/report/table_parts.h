// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "report/reference.h"
#include "report/table.h"

// What the makers of tables share.
namespace keju {

extern const Text kNone;        // "—"
extern const Text kChanceMark;  // "≈ chance"

// A chart shows no more rows than this.
inline constexpr size_t kMostBars = 40;

Cell text_cell(const Text& text);
Cell organisation_cell(const ModelCard* card);  // "—" for none
Cell count_cell(int64_t n);

// Marks the best number of each of `columns` among the ranked rows (all rows, where there are no
// ranks), if there is more than one to choose from.
void mark_best(Table& table, const std::vector<std::string>& columns, bool lower_is_better);

}  // namespace keju
