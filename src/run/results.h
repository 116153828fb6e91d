// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>

#include "base/json.h"

namespace keju {

inline constexpr const char* kResultsSchema = "keju.results/1";

// results.json of a run folder, computed from run.json and its stores alone (all ranks of them), so
// that a killed run can be reported too. reports/results.schema.json describes it.
// Errors: as read_manifest and read_records.
Json compute_results(const std::filesystem::path& folder);

// Writes it into the folder and returns it. Errors: Error(kIo); an older file then stays.
Json write_results(const std::filesystem::path& folder);

// results.json as it was written, checked; where a run ended too abruptly to write one, computed.
// Errors: Error(kInput) naming the field that is missing or wrong.
Json read_results(const std::filesystem::path& folder);

}  // namespace keju
