// SPDX-License-Identifier: MIT
#include "report/reference.h"

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/yaml.h"
#include "report/reference_files.h"

namespace keju {
namespace {

Text text_of(const Yaml& node) { return {node.get("zh").text(), node.get("en").text()}; }

ReferenceTable::Row row_of(const Yaml& node, size_t columns, const ModelCards& cards) {
  node.only({"model", "as", "values", "rank", "access"});
  ReferenceTable::Row row;
  row.model = node.get("model").text();
  row.as = node.get("as").text();
  if (cards.by_id(row.model) == nullptr) {
    throw fail(Code::kInput,
               "{}: model: found \"{}\", need the id of a model in models.yaml",
               node.at(),
               row.model);
  }
  for (const Yaml& value : node.get("values").list()) {
    row.values.emplace_back();
    row.shown.emplace_back();
    if (value.is_null()) continue;
    row.values.back() = value.number();
    row.shown.back() = value.text();
    if (!std::isfinite(*row.values.back())) {
      throw fail(Code::kInput, "{}: values: need finite numbers", node.at());
    }
  }
  if (row.values.size() != columns) {
    throw fail(Code::kInput,
               "{}: values: found {}, need {}, one for each column",
               node.at(),
               row.values.size(),
               columns);
  }
  if (const Yaml* rank = node.find("rank")) row.rank = rank->text();
  if (const Yaml* access = node.find("access")) row.access = parse_access(*access);
  return row;
}

ReferenceTable table_of(const Yaml& node, const ModelCards& cards) {
  node.only({"id",
             "title",
             "source",
             "date",
             "protocol",
             "suite",
             "split",
             "shots",
             "beside",
             "tie_below",
             "total",
             "columns",
             "rows"});
  ReferenceTable table;
  table.id = node.get("id").text();
  table.title = text_of(node.get("title"));
  table.source = node.get("source").text();
  table.date = node.get("date").text();
  table.protocol = node.get("protocol").text();
  if (const Yaml* suite = node.find("suite")) table.suite = suite->text();
  if (const Yaml* split = node.find("split")) table.split = split->text();
  if (const Yaml* shots = node.find("shots")) table.shots = shots->integer();
  if (const Yaml* beside = node.find("beside")) table.beside = beside->boolean();
  if (const Yaml* tie = node.find("tie_below")) table.tie_below = tie->number();
  if (const Yaml* total = node.find("total")) {
    total->only({"open", "opt"});
    table.open_share = total->get("open").number();
    if (std::abs(*table.open_share + total->get("opt").number() - 1) > 1e-9) {
      throw fail(Code::kInput, "{}: total: need shares that add up to 1", total->at());
    }
  }
  std::set<std::string> ids;
  for (const Yaml& column : node.get("columns").list()) {
    column.only({"id", "zh", "en"});
    table.columns.push_back({column.get("id").text(), text_of(column)});
    if (!ids.insert(table.columns.back().id).second) {
      throw fail(Code::kInput, "{}: columns: need unique ids", column.at());
    }
  }
  for (const Yaml& row : node.get("rows").list()) {
    table.rows.push_back(row_of(row, table.columns.size(), cards));
  }
  return table;
}

}  // namespace

std::vector<RankRow> ReferenceTable::rank_rows() const {
  std::vector<RankRow> out;
  for (const Row& row : rows) out.push_back({row.values.front(), row.rank != "-"});
  return out;
}

std::vector<ReferenceTable> parse_reference(std::string_view yaml,
                                            const std::string& where,
                                            const ModelCards& cards) {
  const Yaml root = Yaml::parse(yaml, where);
  root.only({"tables"});
  std::vector<ReferenceTable> tables;
  std::set<std::string> ids;
  for (const Yaml& node : root.get("tables").list()) {
    tables.push_back(table_of(node, cards));
    if (!ids.insert(tables.back().id).second) {
      throw fail(
          Code::kInput, "{}: id: found \"{}\" twice, need unique ids", node.at(), tables.back().id);
    }
  }
  return tables;
}

std::vector<ReferenceTable> builtin_reference(const ModelCards& cards) {
  std::vector<ReferenceTable> all;
  for (const ReferenceFile& file : kReferenceFiles) {
    for (ReferenceTable& table : parse_reference(file.yaml, std::string(file.path), cards)) {
      all.push_back(std::move(table));
    }
  }
  return all;
}

}  // namespace keju
