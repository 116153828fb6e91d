// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace keju {

// The member "ids" of a JSON line. Errors: Error(kInput) unless it is a list of integers of 32
// bits.
inline std::vector<TokenId> ids_member(const Json& line) {
  const Json& list = member(line, "ids", "line");
  if (!list.is_array())
    throw fail(Code::kInput, "line: ids: found {}, need a list of integers", list.type_name());
  std::vector<TokenId> ids;
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX) {
      throw fail(Code::kInput, "line: ids: found {}, need integers from 0", id.dump());
    }
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

}  // namespace keju
