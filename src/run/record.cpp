// SPDX-License-Identifier: MIT
#include "run/record.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "base/sha256.h"
#include "run/pack.h"

namespace keju {

std::string exam_key(const Exam& exam) {
  return exam_key(exam.protocol().id, exam.split(), exam.shots());
}

std::string exam_key(const std::string& protocol_id, const std::string& split, int64_t shots) {
  return fmt::format("{}:{}:{}shot", protocol_id, split, shots);
}

std::string run_digest(const std::vector<ItemRecord>& records) {
  std::vector<const ItemRecord*> order;
  order.reserve(records.size());
  for (const ItemRecord& record : records) order.push_back(&record);
  return run_digest(std::move(order));
}

std::string run_digest(std::vector<const ItemRecord*> order) {
  std::sort(order.begin(), order.end(), [](const ItemRecord* a, const ItemRecord* b) {
    return std::tie(a->exam, a->subject, a->row, a->item) <
           std::tie(b->exam, b->subject, b->row, b->item);
  });
  Sha256 hash;
  for (const ItemRecord* record : order) {
    Packer bytes;
    bytes.text(record->exam);
    bytes.text(record->item);
    pack(bytes, record->outcome);
    // A failed item has no answer, only an error, which the outcome repeats.
    if (record->response.error.empty()) pack(bytes, record->response);
    hash.update(bytes.bytes());
  }
  return hash.finish_hex();
}

}  // namespace keju
