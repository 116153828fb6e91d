// SPDX-License-Identifier: MIT
#include "run/errata.h"

#include <algorithm>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "run/table_file.h"

namespace keju {

Errata read_errata(const std::filesystem::path& file) {
  const TableFile table = read_table(file, {"item", "defect", "source"});
  Errata errata{file.filename().string(), table.sha256, {}};
  std::set<std::string> seen;
  for (const TableRow& row : table.rows) {
    for (const char* column : {"item", "defect", "source"}) {
      if (!row.cells.at(column).empty()) continue;
      throw fail(Code::kInput, "{}: {}: found nothing, need a text", row.at, column);
    }
    const Erratum entry{row.cells.at("item"), row.cells.at("defect"), row.cells.at("source")};
    if (!seen.insert(entry.item).second) {
      throw fail(Code::kInput, "{}: item: found \"{}\" twice, need it once", row.at, entry.item);
    }
    errata.entries.push_back(entry);
  }
  return errata;
}

Json to_json(const Errata& errata) {
  Json entries = Json::array();
  for (const Erratum& entry : errata.entries) {
    entries.push_back({{"item", entry.item}, {"defect", entry.defect}, {"source", entry.source}});
  }
  return {{"file", errata.file}, {"sha256", errata.sha256}, {"entries", std::move(entries)}};
}

std::set<std::string> errata_items(const Json& manifest, const std::string& where) {
  std::set<std::string> items;
  if (!manifest.contains("errata")) return items;
  const std::string place = where + ": errata";
  for (const Json& entry : member(manifest["errata"], "entries", place)) {
    items.insert(string_member(entry, "item", place));
  }
  return items;
}

}  // namespace keju
