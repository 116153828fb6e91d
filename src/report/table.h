// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "report/chart.h"
#include "report/text.h"

namespace keju {

// A score on its scale, for a small drawing of the interval.
struct Range {
  double value = 0, low = 0, high = 0;
  double from = 0, to = 100;  // the scale
  std::optional<double> chance;
};

struct Cell {
  Cell() = default;
  Cell(Text shown, Json machine) : text(std::move(shown)), value(std::move(machine)) {}
  Text text;
  Json value;               // what JSON, CSV and sorting take; null for "n/a"
  std::vector<Text> marks;  // "≈ chance", "incomplete …"
  std::optional<Range> range;
  bool best = false;  // of its column
};

struct Column {
  std::string id;  // a name for machines: "score"
  Text title;
  enum class Kind { kText, kNumber, kRank, kModel } kind = Kind::kNumber;
  Text sub = {};  // a second line under the title
};

// The chapters of a report, in its order.
enum class Chapter { kOverview, kBoards, kAbilities, kModels, kBuyer, kSpeed, kPublished, kRuns };
Text chapter_title(Chapter chapter);

// A table with its charts; without columns, charts alone.
struct Table {
  std::string id;  // unique, a slug
  Text title;
  Text about;               // may be empty
  std::vector<Text> facts;  // what decided the numbers: protocol, split, shots …
  std::vector<Text> notes;  // how to read the table
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  bool folded = false;  // details that a page may hide at first
  Chapter chapter = Chapter::kBoards;
  std::vector<size_t> published = {};  // rows that are quoted from a source, not measured
  std::vector<Chart> charts = {};
};

// What became of one item of a paper under each model.
struct Explorer {
  struct Answer {
    enum class Verdict { kRight, kWrong, kPartly, kUnread, kUnlabelled, kFailed, kMissing };
    Verdict verdict = Verdict::kMissing;
    Text why;                     // in words
    std::string given;            // the chosen option or the generated text
    std::vector<float> logprobs;  // of the options, as scored
  };
  struct Item {
    std::string id, subject, question, prompt_end, gold;
    std::vector<std::string> options;  // "A. text"
    std::vector<Answer> answers;       // of the models in order
  };
  std::string id;  // of its board
  Text title;
  std::vector<Text> notes;
  std::vector<std::string> models;
  std::vector<Item> items;
};

// All that a report shows, in order; the printers add nothing to it and leave nothing out.
struct Leaderboard {
  Text title;
  std::vector<Text> summary;
  std::vector<Table> tables;
  std::vector<Explorer> explorers;
};

}  // namespace keju
