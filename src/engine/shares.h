// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer.h"

namespace keju {

// What one request brings: the ids of its prompt, and the rows beyond it (options, new tokens).
struct RequestCost {
  std::vector<TokenId> prompt;
  int64_t more = 0;
};

// Deals requests out to `count` devices: runs of neighbours in the prefix trie, about equal in rows
// to compute, so that each pair of devices computes at most one path of the trie twice. Borders
// prefer places where little is shared. Returns the requests' indices per device, ascending; fewer
// lists than `count` where there are fewer requests.
std::vector<std::vector<size_t>> deal_out(const std::vector<RequestCost>& requests, int64_t count);

}  // namespace keju
