// SPDX-License-Identifier: MIT
#include "report/rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace keju {

std::vector<size_t> board_order(const std::vector<RankRow>& rows, const RankRules& rules) {
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (rows[a].score.has_value() != rows[b].score.has_value()) return rows[a].score.has_value();
    if (!rows[a].score.has_value() || *rows[a].score == *rows[b].score) return false;
    return (*rows[a].score < *rows[b].score) == rules.lower_is_better;
  });
  return order;
}

std::vector<std::optional<int>> ranks(const std::vector<RankRow>& rows, const RankRules& rules) {
  std::vector<std::optional<int>> out(rows.size());
  int place = 0;       // of the row at hand among the ranked
  int group_rank = 0;  // and of the first of its tie group
  double group_score = 0;
  for (const size_t i : board_order(rows, rules)) {
    if (!rows[i].ranked || !rows[i].score.has_value()) continue;
    ++place;
    const double gap = std::abs(*rows[i].score - group_score);
    // The tolerance keeps 66.96 − 66.93 on the far side of 0.03, as decimals have it.
    const bool tied = group_rank > 0 && (gap == 0 || gap < rules.tie_below - 1e-9);
    if (!tied) {
      group_rank = place;
      group_score = *rows[i].score;
    }
    out[i] = group_rank;
  }
  return out;
}

std::string rank_text(std::optional<int> rank) {
  if (!rank) return "-";
  switch (*rank) {
    case 1:
      return "🏅️";
    case 2:
      return "🥈";
    case 3:
      return "🥉";
    default:
      return std::to_string(*rank);
  }
}

}  // namespace keju
