// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "run/csv_cell.h"
#include "run/store.h"

namespace keju {
namespace {

constexpr size_t kPromptEnd = 600;  // bytes of a prompt that are shown, from its end
constexpr size_t kLongText = 2000;  // code points

std::string text_field(const Json& doc, const std::string& key) {
  const auto found = doc.is_object() ? doc.find(key) : doc.end();
  if (!doc.is_object() || found == doc.end() || !found->is_string()) return "";
  return found->get<std::string>();
}

std::string prompt_end(const std::string& prompt) {
  if (prompt.size() <= kPromptEnd) return prompt;
  size_t begin = prompt.size() - kPromptEnd;
  while (begin < prompt.size() && (static_cast<unsigned char>(prompt[begin]) & 0xc0) == 0x80) {
    ++begin;
  }
  return "…" + prompt.substr(begin);
}

void add_texts(const StoredItem& stored, Explorer::Item& item) {
  for (const char* key : {"question", "Question", "problem", "prompt", "query", "text"}) {
    item.question = visible(text_field(stored.doc, key), kLongText);
    if (!item.question.empty()) break;
  }
  item.prompt_end = visible(prompt_end(stored.prompt), kLongText);
  for (size_t i = 0; i < stored.options.size() && i < 26; ++i) {
    const std::string letter(1, static_cast<char>('A' + i));
    std::string text = text_field(stored.doc, letter);
    if (text.empty()) text = stored.options[i];
    item.options.push_back(text == letter ? letter : letter + ". " + visible(text, 400));
  }
  item.gold = visible(stored.record.answer, 400);
  const int gold = stored.record.gold;
  if (gold >= 0 && gold < 26) item.gold = std::string(1, static_cast<char>('A' + gold));
}

// The first `most` items, by their places, that any model's sample has; in the paper's order.
std::vector<const ItemAnswer*> chosen_items(const Board& board, size_t most) {
  std::map<std::pair<uint64_t, std::string>, const ItemAnswer*> all;
  for (const Board::Entry& entry : board.entries) {
    if (entry.exam->stored == nullptr) continue;
    for (const ItemAnswer& item : entry.exam->stored->sample) {
      all.emplace(std::make_pair(item.place, item.id), &item);
    }
  }
  std::vector<const ItemAnswer*> out;
  for (const auto& [place, item] : all) {
    if (out.size() == most) break;
    out.push_back(item);
  }
  std::sort(out.begin(), out.end(), [](const ItemAnswer* a, const ItemAnswer* b) {
    return std::tie(a->subject, a->row, a->id) < std::tie(b->subject, b->row, b->id);
  });
  return out;
}

void read_texts(const Board& board, Explorer& explorer) {
  std::map<std::string, size_t> places;
  std::vector<std::string> ids;
  for (size_t i = 0; i < explorer.items.size(); ++i) {
    places[explorer.items[i].id] = i;
    ids.push_back(explorer.items[i].id);
  }
  // A paper's texts are the same in every run of it: most often the first run has them all.
  for (const Board::Entry& entry : board.entries) {
    if (ids.empty()) return;
    if (entry.exam->stored == nullptr) continue;
    const std::vector<std::string> wanted = ids;
    read_items(entry.run->path, entry.exam->key, wanted, [&](const StoredItem& stored) {
      add_texts(stored, explorer.items[places.at(stored.record.item)]);
      ids.erase(std::find(ids.begin(), ids.end(), stored.record.item));
    });
  }
}

}  // namespace

Explorer explorer_of(const Standings& standings, const Board& board) {
  Explorer explorer;
  explorer.id = board.id;
  explorer.title = board_title(board);
  for (const Board::Entry& entry : board.entries) {
    if (!entry.exam->private_items) continue;
    explorer.notes.push_back(
        {"自有题目，题目与回答不列出", "Private suite: items and outputs are not shown"});
    return explorer;
  }
  const std::vector<const ItemAnswer*> chosen = chosen_items(board, standings.options->items);
  if (chosen.empty()) return explorer;
  std::map<std::string, size_t> places;
  for (const ItemAnswer* one : chosen) {
    places[one->id] = explorer.items.size();
    explorer.items.push_back({one->id, one->subject, {}, {}, {}, {}, {}});
  }
  for (const Board::Entry& entry : board.entries) {
    explorer.models.push_back(standings.models[entry.model].name);
    for (Explorer::Item& item : explorer.items) item.answers.emplace_back();
    if (entry.exam->stored == nullptr) continue;
    for (const ItemAnswer& item : entry.exam->stored->sample) {
      const auto place = places.find(item.id);
      if (place != places.end()) explorer.items[place->second].answers.back() = item.answer;
    }
  }
  read_texts(board, explorer);
  const auto total = board.paper->items.total;
  if (static_cast<int64_t>(explorer.items.size()) < total) {
    const std::string shown = grouped(static_cast<int64_t>(explorer.items.size()));
    explorer.notes.push_back(
        {fmt::format("{} 题中随机抽取的 {} 题（--items 可改）", grouped(total), shown),
         fmt::format(
             "{} of {} items, drawn at random (--items changes that)", shown, grouped(total))});
  }
  return explorer;
}

}  // namespace keju
