// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "suite/card.h"
#include "suite/rows.h"

namespace keju {

// The rows of one data file's `text`, checked against the card; `where` names the file in messages.
// Rows that the card drops keep their numbers to themselves: the others are numbered as in the
// file. Errors: Error(kInput) with file and line (JSON: the path inside the file).
std::vector<DataRow> read_rows(const DataCard& card,
                               const std::string& split,
                               const std::string& where,
                               std::string_view text);

}  // namespace keju
