// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/sha256.h"
#include "lm/language_model.h"
#include "score/outcome.h"
#include "suite/exam.h"

namespace keju {

// One finished item as the run store keeps it: enough to score it again without weights.
struct ItemRecord {
  std::string exam;  // "cmmlu/lm-eval:test:5shot", see exam_key
  std::string item;  // ExamItem::id
  std::string subject;
  int64_t row = 0;
  std::string prompt_hash;  // sha256 of the prompt text
  int gold = -1;
  std::string answer;  // gold answer of a generative item
  Response response;   // scores with their exact bits, or the text
  Outcome outcome;
};

// Names a suite under a protocol, split and number of shots inside a run.
std::string exam_key(const Exam& exam);
std::string exam_key(const std::string& protocol_id,
                     const std::string& split,
                     int64_t shots,
                     int64_t samples);

// Which of an item's samples an id names ("…/12#3": 3); 0 where an item is asked once.
int64_t sample_of(const std::string& item_id);

// The digest of records that come in the order of items (exam key, subject, row, id).
class RunDigest {
 public:
  void add(const ItemRecord& record);
  std::string finish_hex() { return hash_.finish_hex(); }  // the object is spent afterwards

 private:
  Sha256 hash_;
};

// sha256 over every item's id, outcome and exact log-prob bits or output, in item order (exam key,
// subject, row, id). It does not depend on machine, time or the order of `records`.
std::string run_digest(const std::vector<ItemRecord>& records);
std::string run_digest(std::vector<const ItemRecord*> records);

}  // namespace keju
