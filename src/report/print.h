// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/json.h"
#include "report/table.h"

namespace keju {

inline constexpr const char* kLeaderboardSchema = "keju.leaderboard/1";

std::string print_html(const Leaderboard& board);
std::string print_markdown(const Leaderboard& board);
std::string print_csv(const Table& table);
Json print_json(const Leaderboard& board);

}  // namespace keju
