// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/yaml.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/page_assets.h"
#include "report/table_parts.h"

namespace keju {
namespace {

// What suites examine (reports/fields.yaml).
struct FieldOfStudy {
  std::string id;
  Text title;
  std::vector<std::string> suites;
};

const std::vector<FieldOfStudy>& fields_of_study() {
  static const std::vector<FieldOfStudy> kFields = [] {
    std::vector<FieldOfStudy> fields;
    const Yaml root = Yaml::parse(kFieldsYaml, "reports/fields.yaml");
    for (const Yaml& node : root.get("fields").list()) {
      node.only({"id", "zh", "en", "suites"});
      fields.push_back({node.get("id").text(), {node.get("zh").text(), node.get("en").text()}, {}});
      for (const Yaml& suite : node.get("suites").list()) {
        fields.back().suites.push_back(suite.text());
      }
    }
    return fields;
  }();
  return kFields;
}

bool examines(const FieldOfStudy& field, const Board& board) {
  return !board.paper->lower_is_better() &&
         std::find(field.suites.begin(), field.suites.end(), board.paper->suite) !=
             field.suites.end();
}

// The model's entry on a board that it finished.
const ExamView* finished(const Board& board, size_t model) {
  for (const Board::Entry& entry : board.entries) {
    if (entry.model == model && entry.exam->items.complete() && entry.exam->score.value) {
      return entry.exam;
    }
  }
  return nullptr;
}

std::optional<double> field_score(const Standings& standings,
                                  const FieldOfStudy& field,
                                  size_t model) {
  double sum = 0;
  int boards = 0;
  for (const Board& board : standings.boards) {
    if (!examines(field, board)) continue;
    const ExamView* exam = finished(board, model);
    if (exam == nullptr) return std::nullopt;
    sum += 100 * *exam->score.value;
    ++boards;
  }
  if (boards == 0) return std::nullopt;
  return sum / boards;
}

// Whether no board of the field tells the model from guessing.
bool guesses_all(const Standings& standings, const FieldOfStudy& field, size_t model) {
  bool any = false;
  for (const Board& board : standings.boards) {
    if (!examines(field, board)) continue;
    const ExamView* exam = finished(board, model);
    if (exam == nullptr || !exam->at_chance) return false;
    any = true;
  }
  return any;
}

// A part of a board that stands for an ability: a category, or of suites without them a subject.
struct Ability {
  const Board* board;
  bool category;
  size_t index;
  Text title;
};

std::vector<Ability> abilities_of(const Standings& standings) {
  std::vector<Ability> abilities;
  for (const Board& board : standings.boards) {
    const ExamView& paper = *board.paper;
    if (paper.lower_is_better()) continue;
    for (size_t i = 0; i < paper.categories.size(); ++i) {
      abilities.push_back({&board, true, i, category_name(paper.categories[i].id)});
    }
    if (!paper.categories.empty() || paper.subjects.size() < 2 || paper.subjects.size() > 12) {
      continue;
    }
    for (size_t i = 0; i < paper.subjects.size(); ++i) {
      const PartView& part = paper.subjects[i];
      abilities.push_back(
          {&board,
           false,
           i,
           {part.zh.empty() ? part.id : part.zh, part.en.empty() ? part.id : part.en}});
    }
  }
  return abilities;
}

std::optional<double> ability_score(const Ability& ability, size_t model) {
  for (const Board::Entry& entry : ability.board->entries) {
    if (entry.model != model) continue;
    const auto& parts = ability.category ? entry.exam->categories : entry.exam->subjects;
    if (ability.index < parts.size() && parts[ability.index].score.value) {
      return 100 * *parts[ability.index].score.value;
    }
  }
  return std::nullopt;
}

Cell points(const std::optional<double>& value) {
  return value ? Cell{fixed(*value, 2), *value} : Cell{kNone, nullptr};
}

}  // namespace

Table field_table(const Standings& standings) {
  Table table;
  table.id = "fields";
  table.title = {"各领域", "By field"};
  table.chapter = Chapter::kAbilities;
  table.notes = {
      {"领域得分是其下各分榜得分的平均；缺任何一个分榜即不给分。",
       "A field's score is the mean of its boards; where one is missing, there is none."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel}};
  std::vector<const FieldOfStudy*> shown;
  std::vector<std::string> ids;
  for (const FieldOfStudy& field : fields_of_study()) {
    Text suites;
    for (const Board& board : standings.boards) {
      if (!examines(field, board)) continue;
      const Text title = board_title(board);
      suites.zh += (suites.zh.empty() ? "" : "、") + title.zh;
      suites.en += (suites.en.empty() ? "" : ", ") + title.en;
    }
    if (suites.empty()) continue;
    shown.push_back(&field);
    ids.push_back(field.id);
    table.columns.push_back({field.id, field.title, Column::Kind::kNumber, suites});
  }
  if (shown.size() < 2) return table;
  for (size_t m = 0; m < standings.models.size(); ++m) {
    std::vector<Cell> cells = {text_cell(standings.models[m].name)};
    for (const FieldOfStudy* field : shown) {
      cells.push_back(points(field_score(standings, *field, m)));
      if (guesses_all(standings, *field, m)) cells.back().marks.push_back(kChanceMark);
    }
    table.rows.push_back(std::move(cells));
  }
  mark_best(table, ids, false);
  return table;
}

Table category_table(const Standings& standings) {
  Table table;
  table.id = "abilities";
  table.title = {"各类别与能力", "By category and ability"};
  table.chapter = Chapter::kAbilities;
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel}};
  const std::vector<Ability> abilities = abilities_of(standings);
  if (abilities.size() < 2) return table;
  HeatMap heat;
  for (size_t a = 0; a < abilities.size(); ++a) {
    table.columns.push_back({fmt::format("ability-{}", a + 1),
                             abilities[a].title,
                             Column::Kind::kNumber,
                             board_title(*abilities[a].board)});
    heat.columns.push_back(abilities[a].title);
  }
  for (size_t m = 0; m < standings.models.size(); ++m) {
    std::vector<Cell> cells = {text_cell(standings.models[m].name)};
    heat.rows.push_back({standings.models[m].name, {}});
    for (const Ability& ability : abilities) {
      const std::optional<double> score = ability_score(ability, m);
      cells.push_back(points(score));
      heat.rows.back().values.push_back(score);
    }
    table.rows.push_back(std::move(cells));
  }
  if (heat.rows.size() > kMostBars) heat.rows.resize(kMostBars);
  table.charts.push_back({"abilities-heat",
                          {"类别热图", "Heat map of categories"},
                          {"颜色越深得分越高（0–100）", "The deeper, the higher (0–100)"},
                          heat});
  return table;
}

}  // namespace keju
