// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

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

// results.json of one exam: averages, intervals, counts. Records are not kept: what stays of each
// is what the averages need, eight bytes or a few times that. Where `errata` names items, every
// value stands a second time without them (`without_errata`).
class ExamResults {
 public:
  // The arguments must outlive it.
  ExamResults(const ExamManifest& exam, const std::set<std::string>& errata, std::string where);
  ~ExamResults();

  // That exam's records in the order of subject, row and id. Errors: Error(kInput) for a subject
  // that the exam lacks.
  void add(const ItemRecord& record);

  // Once, after the last. Errors: Error(kInput) if the records are more than the exam has.
  Json finish();

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace keju
