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

// "12.30–45.60"; with spaces where an end is negative, so that no dash follows a dash.
std::string span_text(double low, double high, int decimals);

// Takes away those of `columns` that no row has a value in.
void drop_empty(Table& table, const std::vector<std::string>& columns);

// Marks the best number of each of `columns` among the ranked rows (all rows, where there are no
// ranks), if there is more than one to choose from. A score that guessing explains is never best.
void mark_best(Table& table, const std::vector<std::string>& columns, bool lower_is_better);

}  // namespace keju
