// SPDX-License-Identifier: MIT
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/leaderboard.h"
#include "report/table_parts.h"

namespace keju {
namespace {

const Text kUnverified{"未核实", "unverified"};

constexpr size_t kMostAxes = 12;

Text price_text(const Price& price) {
  if (price.per_hour) {
    const std::string rate = fmt::format("{} {}", price.currency, fixed(*price.per_hour, 2));
    return {rate + "／小时", rate + " per hour"};
  }
  const std::string rates =
      fmt::format("{} {} / {}", price.currency, fixed(price.input, 2), fixed(price.output, 2));
  return {rates + "（百万词元，入／出）", rates + " per 1M tokens in / out"};
}

std::vector<Text> model_facts(const ModelRow& model) {
  const RunView& run = *model.runs[0];
  std::vector<Text> facts;
  if (model.card != nullptr) {
    facts.push_back(model.card->organisation);
    if (!model.card->country.empty()) facts.emplace_back(model.card->country);
  }
  const Text& access = access_text(access_of(model));
  facts.push_back({"使用：" + access.zh, "access: " + access.en});
  if (const std::optional<int64_t> size = parameters_of(model)) {
    facts.push_back({count_short(*size) + " 参数", count_short(*size) + " parameters"});
  }
  if (model.card != nullptr && !model.card->licence.empty()) {
    facts.push_back({"许可证 " + model.card->licence, "licence " + model.card->licence});
  }
  if (model.card != nullptr && model.card->price) facts.push_back(price_text(*model.card->price));
  if (!run.family.empty()) facts.push_back({"架构 " + run.family, "family " + run.family});
  if (!run.weights_digest.empty()) {
    const std::string digest = hash_short(run.weights_digest);
    facts.push_back({"权重 " + digest, "weights " + digest});
  }
  return facts;
}

std::optional<Chart> radar_of(const Standings& standings, size_t m, const std::string& id) {
  RadarChart radar;
  for (const Board& board : standings.boards) {
    if (board.paper->lower_is_better() || radar.axes.size() == kMostAxes) continue;
    std::optional<double> own, best;
    for (const Board::Entry& entry : board.entries) {
      if (!entry.exam->score.value) continue;
      const double score = 100 * *entry.exam->score.value;
      if (entry.model == m) own = score;
      best = std::max(best.value_or(score), score);
    }
    if (!own) continue;
    radar.axes.push_back(board_title(board));
    radar.values.push_back(own);
    radar.best.push_back(best);
  }
  if (radar.axes.size() < 3) return std::nullopt;
  return Chart{id + "-radar",
               {standings.models[m].name + "：各榜得分", standings.models[m].name + ": boards"},
               {"虚线：各榜最高", "Dashed: the best on each board"},
               radar};
}

std::optional<Chart> calibration_of(const ModelRow& model, const std::string& id) {
  std::array<PaperItems::Bin, 10> sums{};
  int64_t items = 0;
  for (const RunView* run : model.runs) {
    for (const ExamView& exam : run->exams) {
      if (exam.stored == nullptr || exam.score_rule != "sum") continue;
      for (size_t b = 0; b < sums.size(); ++b) {
        sums[b].items += exam.stored->bins[b].items;
        sums[b].confidence += exam.stored->bins[b].confidence;
        sums[b].right += exam.stored->bins[b].right;
        items += exam.stored->bins[b].items;
      }
    }
  }
  if (items == 0) return std::nullopt;
  CalibrationChart chart;
  double error = 0;
  for (const PaperItems::Bin& bin : sums) {
    const auto n = static_cast<double>(std::max<int64_t>(bin.items, 1));
    chart.bins.push_back({bin.confidence / n, bin.right / n, bin.items});
    error += std::abs(bin.confidence - bin.right) / static_cast<double>(items);
  }
  const std::string ece = fixed(100 * error, 1);
  return Chart{
      id + "-calibration",
      {model.name + "：校准", model.name + ": calibration"},
      {fmt::format("所选选项的概率与正确率，{} 题；期望校准误差 {} 点。虚线：完全校准",
                   grouped(items),
                   ece),
       fmt::format("Probability of the chosen option against how often it is right, {} items; "
                   "expected calibration error {} points. Dashed: perfect",
                   grouped(items),
                   ece)},
      chart};
}

}  // namespace

std::vector<Table> model_sections(const Standings& standings) {
  std::vector<Table> sections;
  std::map<std::string, int> uses;
  for (size_t m = 0; m < standings.models.size(); ++m) {
    const ModelRow& model = standings.models[m];
    Table table;
    table.id = "model-" + slug(model.name);
    const int use = ++uses[table.id];
    if (use > 1) table.id += fmt::format("-{}", use);
    table.title = model.name;
    table.chapter = Chapter::kModels;
    table.facts = model_facts(model);
    table.columns = {{"board", {"分榜", "Board"}, Column::Kind::kModel},
                     {"protocol", {"协议", "Protocol"}, Column::Kind::kText},
                     {"rank", {"排名", "Rank"}, Column::Kind::kRank},
                     {"score", {"得分", "Score"}},
                     {"interval", {"95% 区间", "95% interval"}},
                     {"rank_interval", {"名次区间", "Rank interval"}},
                     {"items", {"题数", "Items"}}};
    if (standings.models.size() < 2) table.columns.erase(table.columns.end() - 2);
    table.folded = standings.models.size() > 6;
    if (const auto chart = radar_of(standings, m, table.id)) table.charts.push_back(*chart);
    if (const auto chart = calibration_of(model, table.id)) table.charts.push_back(*chart);
    sections.push_back(std::move(table));
  }
  for (const Board& board : standings.boards) {
    const Table whole = board_table(standings, board);
    const Text title = board_title(board);
    const bool sure = whole.columns.size() > 4 && whole.columns[4].id == "rank_interval";
    for (const auto& row : whole.rows) {
      if (!row[1].marks.empty()) continue;  // published
      for (size_t m = 0; m < sections.size(); ++m) {
        if (row[1].value != Json(standings.models[m].name)) continue;
        Cell score = row[2];
        score.best = false;
        sections[m].rows.push_back({{title, title.en},
                                    text_cell(board.paper->protocol),
                                    row[0],
                                    score,
                                    row[3],
                                    sure ? row[4] : Cell{kNone, nullptr},
                                    count_cell(board.paper->items.total)});
        if (standings.models.size() < 2)
          sections[m].rows.back().erase(sections[m].rows.back().end() - 2);
      }
    }
  }
  return sections;
}

Table model_table(const Standings& standings) {
  Table table;
  table.id = "models";
  table.title = {"模型一览", "Who is who"};
  table.chapter = Chapter::kModels;
  table.folded = true;
  table.notes = {
      {"“未核实”：此处没有出处，仅为通常的说法；国别均未核实。参数量取自模型名称（实测模型取自权重"
       "文件）。",
       "“Unverified”: no source stands here, only what is commonly said; countries are all so. "
       "Parameters are the figures in models' names (of measured models, their files')."},
      {"“无公开成绩”：各家公布的榜单里没有它的数字，也没有实测。",
       "“no published score”: no board that we know prints a figure of it, and nobody "
       "measured it here."}};
  table.columns = {{"model", {"模型", "Model"}, Column::Kind::kModel},
                   {"organisation", {"机构", "Organisation"}, Column::Kind::kText},
                   {"country", {"国别", "Country"}, Column::Kind::kText, kUnverified},
                   {"access", {"使用", "Access"}, Column::Kind::kText},
                   {"parameters", {"参数量", "Parameters"}},
                   {"licence", {"许可证", "Licence"}, Column::Kind::kText},
                   {"price", {"价格", "Price"}, Column::Kind::kText},
                   {"known", {"成绩", "Scores"}, Column::Kind::kText},
                   {"basis", {"机构出处", "Organisation by"}, Column::Kind::kText}};
  std::map<std::string, int64_t> published;
  for (const ReferenceTable& reference : standings.options->published) {
    for (const ReferenceTable::Row& row : reference.rows) ++published[row.model];
  }
  std::set<std::string> measured;
  for (const ModelRow& model : standings.models) {
    if (model.card != nullptr) measured.insert(model.card->id);
  }
  for (const ModelCard& card : standings.options->cards.all()) {
    const auto found = published.find(card.id);
    Cell known = text_cell({"无公开成绩", "no published score"});
    if (found != published.end()) {
      known = text_cell(
          {fmt::format("公开 {} 行", found->second), fmt::format("{} published", found->second)});
    }
    if (measured.count(card.id) > 0) known = text_cell({"已实测", "measured here"});
    const auto text = [](const std::string& value) {
      return value.empty() ? Cell{kNone, nullptr} : text_cell(value);
    };
    const auto marked = [](Cell cell, const std::string& source) {
      if (source.empty() && !cell.value.is_null()) cell.marks.push_back(kUnverified);
      return cell;
    };
    table.rows.push_back({text_cell(card.name),
                          text_cell(card.organisation),
                          text(card.country),
                          text_cell(access_text(card.access)),
                          card.parameters ? Cell{count_short(*card.parameters), *card.parameters}
                                          : Cell{kNone, nullptr},
                          marked(text(card.licence), card.licence_source),
                          card.price
                              ? marked(text_cell(price_text(*card.price)), card.price->source)
                              : Cell{kNone, nullptr},
                          known,
                          card.organisation_source.empty() ? text_cell(kUnverified)
                                                           : text_cell(card.organisation_source)});
  }
  drop_empty(table, {"licence", "price"});
  return table;
}

std::vector<Table> published_tables(const Standings& standings) {
  std::vector<Table> tables;
  for (const ReferenceTable& reference : standings.options->published) {
    Table table;
    table.id = "published-" + slug(reference.id);
    table.title = reference.title;
    table.chapter = Chapter::kPublished;
    table.folded = true;
    table.facts = {{"来源 " + reference.source, "source " + reference.source},
                   {"日期 " + reference.date, "date " + reference.date},
                   {"协议 " + reference.protocol, "protocol " + reference.protocol}};
    const bool ranked = reference.tie_below.has_value();
    if (ranked) table.columns.push_back({"rank", {"排名", "Rank"}, Column::Kind::kRank});
    table.columns.push_back({"model", {"模型", "Model"}, Column::Kind::kModel});
    table.columns.push_back({"organisation", {"机构", "Organisation"}, Column::Kind::kText});
    table.columns.push_back({"access", {"使用", "Access"}, Column::Kind::kText});
    for (const ReferenceTable::Column& column : reference.columns) {
      table.columns.push_back({"value:" + column.id, column.title});
    }
    const RankRules rules{reference.tie_below.value_or(0), false};
    const auto places = ranks(reference.rank_rows(), rules);
    for (size_t i = 0; i < reference.rows.size(); ++i) {
      const ReferenceTable::Row& row = reference.rows[i];
      const ModelCard* card = standings.options->cards.by_id(row.model);
      std::vector<Cell> cells;
      if (ranked) {
        cells.push_back({rank_text(places[i]), places[i] ? Json(*places[i]) : Json()});
        if (row.rank != rank_text(places[i])) {
          cells.back().marks.push_back({"原榜 " + row.rank, "printed " + row.rank});
        }
      }
      cells.push_back(text_cell(row.as));
      cells.push_back(organisation_cell(card));
      const Access access = row.access.value_or(card == nullptr ? Access::kApi : card->access);
      cells.push_back(text_cell(access_text(access)));
      for (size_t c = 0; c < row.values.size(); ++c) {
        cells.push_back(row.values[c] ? Cell{row.shown[c], *row.values[c]} : Cell{kNone, nullptr});
      }
      table.published.push_back(table.rows.size());
      table.rows.push_back(std::move(cells));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace keju
