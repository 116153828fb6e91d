// SPDX-License-Identifier: MIT
#include "run/record.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/error.h"
#include "run/pack.h"

namespace keju {

std::string exam_key(const Exam& exam) {
  return exam_key(exam.protocol().id, exam.split(), exam.shots(), exam.protocol().generate.samples);
}

std::string exam_key(const std::string& protocol_id,
                     const std::string& split,
                     int64_t shots,
                     int64_t samples) {
  std::string key = fmt::format("{}:{}:{}shot", protocol_id, split, shots);
  if (samples > 1) key += fmt::format(":{}samples", samples);
  return key;
}

int64_t sample_of(const std::string& item_id) {
  const size_t mark = item_id.rfind('#');
  if (mark == std::string::npos) return 0;
  int64_t sample = 0;
  const char* end = item_id.data() + item_id.size();
  const auto [last, error] = std::from_chars(item_id.data() + mark + 1, end, sample);
  return error == std::errc() && last == end ? sample : 0;
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
  RunDigest digest;
  for (const ItemRecord* record : order) digest.add(*record);
  return digest.finish_hex();
}

void RunDigest::add(const ItemRecord& record) {
  Packer bytes;
  bytes.text(record.exam);
  bytes.text(record.item);
  pack(bytes, record.outcome);
  // A failed item has no answer, only an error, which the outcome repeats.
  if (record.response.error.empty()) pack(bytes, record.response);
  hash_.update(bytes.bytes());
}

}  // namespace keju
