// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/leaderboard.h"
#include "report/table_parts.h"
#include "score/statistics/ranks.h"

// How sure the order of a board is, from the items that all of its models answered.
namespace keju {

struct BoardContest {
  std::vector<size_t> models;     // of the standings, rising: those that finished the paper
  Contest contest;                // among them, in points where scores are
  std::vector<int64_t> clusters;  // of the items, by place
};

// Finds each board's contest: its models' answers to the very same items, resampled together. A
// board has none where fewer than two models finished it with their stores at hand, or where a
// score is not the mean of its items (then nothing is known of its error). Boards are worked on
// side by side. Errors: those of for_each_item.
void hold_contests(Standings& standings);

// The contest of totals, if every one of `models` is in the contest of every one of `boards`.
std::optional<Contest> total_contest(const Standings& standings,
                                     const std::vector<size_t>& boards,
                                     const std::vector<double>& weights,
                                     const std::vector<size_t>& models);

// One model's place as far as the items establish it.
struct SurePlace {
  int64_t low = 1, high = 1;  // 95 % of the replicates
  int64_t group = 1;          // of models that are not told apart
};

// The places of `models` in a contest of exactly these; `shown`: the ranks that the board prints,
// which belong to the interval whatever a tie rule made of them.
std::vector<SurePlace> sure_places(const Contest& contest, const std::vector<int>& shown);

// The two columns and their cells; "—" for a model without a place.
void add_place_columns(std::vector<Column>& columns);
void add_place_cells(const std::optional<SurePlace>& place, std::vector<Cell>& cells);
extern const Text kPlaceNote;

}  // namespace keju
