// SPDX-License-Identifier: MIT
#include "engine/shares.h"

#include <algorithm>
#include <numeric>

namespace keju {
namespace {

// A border may lie this part of a share away from where the shares would be equal.
constexpr int64_t kSlackPart = 16;

int64_t common_prefix(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return end - a.begin();
}

}  // namespace

std::vector<std::vector<size_t>> deal_out(const std::vector<RequestCost>& requests, int64_t count) {
  const size_t total = requests.size();
  std::vector<size_t> order(total);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto& x = requests[a].prompt;
    const auto& y = requests[b].prompt;
    return x != y ? x < y : a < b;
  });
  // before[i]: rows of the first i requests; shared[i]: tokens that request i has from the one
  // before it.
  std::vector<int64_t> before(total + 1, 0);
  std::vector<int64_t> shared(total + 1, 0);
  for (size_t i = 0; i < total; ++i) {
    const RequestCost& one = requests[order[i]];
    if (i > 0) shared[i] = common_prefix(requests[order[i - 1]].prompt, one.prompt);
    before[i + 1] = before[i] + static_cast<int64_t>(one.prompt.size()) - shared[i] +
                    std::max<int64_t>(one.more, 0);
  }
  const int64_t slack = before[total] / std::max<int64_t>(1, count * kSlackPart);
  std::vector<std::vector<size_t>> shares;
  size_t begin = 0;
  for (int64_t share = 1; share <= count && begin < total; ++share) {
    size_t end = total;
    if (share < count) {
      const int64_t target = before[total] * share / count;
      end = begin + 1;  // the best border near the target; at least one request each
      int64_t best = INT64_MAX;
      for (size_t i = begin + 1; i < total; ++i) {
        const int64_t apart = std::abs(before[i] - target);
        const int64_t cost = shared[i] + std::max<int64_t>(0, apart - slack);
        if (cost < best) {
          best = cost;
          end = i;
        }
      }
    }
    std::vector<size_t> own(order.begin() + static_cast<int64_t>(begin),
                            order.begin() + static_cast<int64_t>(end));
    std::sort(own.begin(), own.end());
    shares.push_back(std::move(own));
    begin = end;
  }
  return shares;
}

}  // namespace keju
