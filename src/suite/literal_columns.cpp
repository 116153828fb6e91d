// SPDX-License-Identifier: MIT
#include "suite/literal_columns.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error.h"
#include "suite/csv.h"
#include "suite/python_literal.h"

namespace keju {
namespace {

std::string with_single_breaks(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    if (text[at] == '\n' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
  }
  return out;
}

}  // namespace

std::string literal_rows(std::string_view csv,
                         const std::string& column,
                         const std::string& where) {
  const std::vector<CsvRecord> records = parse_csv(csv, where);
  if (records.empty()) throw fail(Code::kInput, "{}:1: found nothing, need a header", where);
  const std::vector<std::string>& names = records[0].fields;
  const auto place =
      static_cast<size_t>(std::find(names.begin(), names.end(), column) - names.begin());
  if (place == names.size()) {
    throw fail(Code::kInput, "{}:1: header: found no column \"{}\", need one", where, column);
  }
  std::string out;
  for (size_t i = 1; i < records.size(); i += 2) {
    const std::string at = fmt::format("{}:{}: {}", where, records[i].line, column);
    if (i + 1 == records.size() || records[i].fields.size() != names.size() ||
        records[i + 1].fields.size() != names.size()) {
      throw fail(Code::kInput,
                 "{}: found no record of as many explanations, need {} cells in each",
                 at,
                 names.size());
    }
    const std::string& cell = records[i].fields[place];
    if (cell.empty()) continue;
    std::optional<Json> row = python_literal(cell);
    if (!row.has_value() || !row->is_object()) {
      throw fail(Code::kInput, "{}: found what is no dict of Python, need one", at);
    }
    (*row)["explanation"] = with_single_breaks(records[i + 1].fields[place]);
    out += row->dump() + "\n";
  }
  return out;
}

}  // namespace keju
