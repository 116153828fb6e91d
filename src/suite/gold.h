// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "suite/card.h"
#include "suite/rows.h"

namespace keju {

// Text for a message: its beginning, cut between characters.
std::string shortened(const std::string& text);

// Reads a row's options, then its gold options, as the card says. Errors: Error(kInput) with the
// row's place, for a missing or empty option, and for an answer that is none of them. A worked
// example of a table of literals may spell all its options in one text: it has none to choose from.
void read_choices(const DataCard& card, const std::string& split, DataRow& row);
void read_gold(const DataCard& card, DataRow& row);

}  // namespace keju
