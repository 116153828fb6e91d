// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace keju {

// A row that wants a place. Rows without a score, or listed for comparison only, get none.
struct RankRow {
  std::optional<double> score;
  bool ranked = true;
};

struct RankRules {
  // Scores this near to the first of their tie group share its rank, and the next rank skips
  // (SuperCLUE, from November 2023: "小于0.03分" on a scale of 100).
  double tie_below = 0.03;
  bool lower_is_better = false;
};

// Rows in the order in which a board shows them: by score, unranked ones in their score's place,
// those without a score last, equal ones as they came.
std::vector<size_t> board_order(const std::vector<RankRow>& rows, const RankRules& rules);

// The rank of each row of `rows`, none for "-".
std::vector<std::optional<int>> ranks(const std::vector<RankRow>& rows, const RankRules& rules);

// "🏅️", "🥈", "🥉", "4", …; "-" for none.
std::string rank_text(std::optional<int> rank);

}  // namespace keju
