// SPDX-License-Identifier: MIT
#include "run/table_file.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "suite/csv.h"

namespace keju {
namespace {

using Names = std::vector<std::string>;

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_columns(const Names& found, const Names& needed, Names allowed, const std::string& at) {
  allowed.insert(allowed.end(), needed.begin(), needed.end());
  for (const std::string& name : found) {
    if (!contains(allowed, name)) {
      throw fail(Code::kInput, "{}: unknown column \"{}\"{}", at, name, suggestion(name, allowed));
    }
    if (std::count(found.begin(), found.end(), name) > 1) {
      throw fail(Code::kInput, "{}: column \"{}\": found it twice, need it once", at, name);
    }
  }
  for (const std::string& name : needed) {
    if (contains(found, name)) continue;
    throw fail(Code::kInput, "{}: column \"{}\": found none, need it", at, name);
  }
}

std::vector<TableRow> csv_rows(std::string_view text,
                               const std::string& where,
                               const Names& needed,
                               const Names& allowed) {
  const std::vector<CsvRecord> records = parse_csv(text, where);
  if (records.empty()) throw fail(Code::kInput, "{}:1: found nothing, need a header", where);
  const Names& header = records[0].fields;
  check_columns(header, needed, allowed, fmt::format("{}:{}", where, records[0].line));
  std::vector<TableRow> rows;
  for (size_t i = 1; i < records.size(); ++i) {
    TableRow row{fmt::format("{}:{}", where, records[i].line), {}};
    const Names& fields = records[i].fields;
    if (fields.size() != header.size()) {
      throw fail(Code::kInput,
                 "{}: found {} columns, need {} as in the header",
                 row.at,
                 fields.size(),
                 header.size());
    }
    for (size_t c = 0; c < fields.size(); ++c) row.cells[header[c]] = fields[c];
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<TableRow> json_rows(std::string_view text,
                                const std::string& where,
                                const Names& needed,
                                const Names& allowed) {
  check_text(text, where);
  text = without_bom(text);
  std::vector<TableRow> rows;
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view body = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!body.empty() && body.back() == '\r') body.remove_suffix(1);
    if (body.empty()) continue;
    TableRow row{fmt::format("{}:{}", where, line), {}};
    const Json json = parse_json(body, row.at);
    if (!json.is_object()) throw fail(Code::kInput, "{}: found no object, need one", row.at);
    Names names;
    for (const auto& [key, value] : json.items()) {
      names.push_back(key);
      if (value.is_null()) {
        row.cells[key] = "";
      } else {
        row.cells[key] = value.is_string() ? value.get<std::string>() : value.dump();
      }
    }
    check_columns(names, needed, allowed, row.at);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

TableFile read_table(const std::filesystem::path& file,
                     const std::vector<std::string>& needed,
                     const std::vector<std::string>& allowed) {
  const std::string text = read_file(file);
  const std::string where = file.string();
  const bool json = file.extension() == ".jsonl";
  return {sha256_hex(text),
          json ? json_rows(text, where, needed, allowed) : csv_rows(text, where, needed, allowed)};
}

}  // namespace keju
