// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "suite/card.h"
#include "suite/rows.h"

namespace keju {

// Gives `take` the rows of one data file's `text`, checked against the card, one by one; `where`
// names the file in messages. Beyond a row, memory holds eight bytes of each row with an id.
// Rows that the card drops keep their numbers to themselves: the others are numbered as in the
// file. Errors: Error(kInput) with file and line (JSON: the path inside the file).
void read_rows(const DataCard& card,
               const std::string& split,
               const std::string& where,
               std::string_view text,
               const std::function<void(DataRow)>& take);

}  // namespace keju
