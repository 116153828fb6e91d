// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace keju {

struct TableRow {
  std::string at;  // "errata.csv:7"
  std::map<std::string, std::string> cells;
};

struct TableFile {
  std::string sha256;
  std::vector<TableRow> rows;
};

// A table that people or other programs fill in: CSV with a header, or JSON lines where the name
// ends in .jsonl (numbers and booleans as JSON spells them, null as ""). `needed` columns must be
// there, `allowed` ones may be. Errors: Error(kIo); Error(kInput) with file and line for a column
// that is missing, unknown or named twice, a row of another width, and JSON that is no object.
TableFile read_table(const std::filesystem::path& file,
                     const std::vector<std::string>& needed,
                     const std::vector<std::string>& allowed = {});

}  // namespace keju
