// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

// What makes items hang together, for errors that are robust to it (Design::clusters).
namespace keju {

// From an item's row of data: the same passage (a column "passage", "document", "context" or
// "article"), or else the same texts in any order, so that copies of a question and permutations of
// its options are one. `id` if the row says nothing.
int64_t cluster_of(const Json& doc, const std::string& id);

// The texts of a row of data in sorted order, without letters and numbers: equal for the same
// question however a tool names its columns. "" if there are none.
std::string row_texts(const Json& doc);

}  // namespace keju
