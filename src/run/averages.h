// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "run/manifest.h"
#include "run/record.h"

namespace keju {

// How many items of a set were asked, and what became of them. `failed` and `unfinished` ones have
// no place in any average; unscored ones count as wrong where their outcome says so.
struct ItemCounts {
  int64_t total = 0, scored = 0, unscored = 0, failed = 0;
  int64_t unfinished() const { return total - scored - unscored - failed; }
};

Json to_json(const ItemCounts& counts);

// results.json of one exam: averages, intervals, counts. `records` are that exam's, in any order.
// Where `errata` names items, every value stands a second time without them (`without_errata`).
// Errors: Error(kInput) if they name a subject that the exam lacks, or are more than it has.
Json exam_results(const ExamManifest& exam,
                  const std::vector<const ItemRecord*>& records,
                  const std::set<std::string>& errata,
                  const std::string& where);

}  // namespace keju
