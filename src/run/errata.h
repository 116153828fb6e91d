// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// An item that is known to be wrong in the published data, and who says so.
struct Erratum {
  std::string item;    // ExamItem::id, "cmmlu/agronomy/test/12"
  std::string defect;  // "two right options"
  std::string source;  // "arXiv:2406.04127", an issue of the data set
};

struct Errata {
  std::string file, sha256;
  std::vector<Erratum> entries;
};

// Reads a CSV file with the header item,defect,source, or JSON lines with these members. Errors:
// Error(kIo); Error(kInput) with file and line for a column that is missing or unknown, an empty
// field, or an item that occurs twice.
Errata read_errata(const std::filesystem::path& file);

// How run.json holds them.
Json to_json(const Errata& errata);

// The items that a manifest's errata name; none where it has no errata.
std::set<std::string> errata_items(const Json& manifest, const std::string& where);

}  // namespace keju
