// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "report/escape.h"
#include "report/table.h"

namespace keju {

inline constexpr const char* kLeaderboardSchema = "keju.leaderboard/2";

// The page, and where its item explorers are too long to stand in it, a page for each of them:
// paths beside leaderboard.html, and contents.
struct Pages {
  std::string main;
  std::vector<std::pair<std::string, std::string>> companions;  // "items/<board>.html"
};
Pages print_html(const Leaderboard& board);

// The head of a page and its language switch, up to <main>; its end. `home`: the page that the
// title leads back to, "" for none.
std::string page_head(const Text& title, const std::vector<Text>& summary, const char* home);
std::string page_foot();

// A text in both languages for a page, escaped.
std::string both_html(const Text& text, size_t most = kMostShown);

// An explorer's section: collapsed items, each with every model's answer.
std::string explorer_html(const Explorer& explorer);

std::string print_latex(const Leaderboard& board);
std::string print_markdown(const Leaderboard& board);
std::string print_csv(const Table& table);
Json print_json(const Leaderboard& board);

}  // namespace keju
