// SPDX-License-Identifier: MIT
#include <utility>

#include "base/sha256.h"
#include "run/store.h"
#include "score/outcome.h"

namespace keju {

StoredItem stored_item(const Exam& exam, int64_t index, Response response) {
  ExamItem item = exam.item(index);
  StoredItem stored;
  ItemRecord& record = stored.record;
  record.outcome = response.error.empty() ? score_item(item, exam.protocol(), response)
                                          : Outcome(Failed{response.error});
  record.exam = exam_key(exam);
  record.prompt_hash = sha256_hex(item.prompt);
  record.item = std::move(item.id);
  record.subject = std::move(item.subject);
  record.row = item.row;
  record.gold = item.gold;
  record.answer = std::move(item.answer);
  record.response = std::move(response);
  stored.position = index;
  stored.doc = std::move(item.doc);
  stored.prompt = std::move(item.prompt);
  stored.continuations = std::move(item.continuations);
  stored.options = std::move(item.options);
  stored.aliases = std::move(item.aliases);
  stored.golds = std::move(item.golds);
  stored.weight = item.weight;
  stored.extract = std::move(item.extract);
  stored.compare = std::move(item.compare);
  stored.temperature = item.temperature;
  stored.turns = std::move(item.turns);
  stored.answers = std::move(item.answers);
  return stored;
}

ExamItem exam_item(const StoredItem& stored) {
  ExamItem item;
  item.id = stored.record.item;
  item.subject = stored.record.subject;
  item.row = stored.record.row;
  item.doc = stored.doc;
  item.prompt = stored.prompt;
  item.continuations = stored.continuations;
  item.options = stored.options;
  item.gold = stored.record.gold;
  item.golds = stored.golds;
  item.weight = stored.weight;
  item.answer = stored.record.answer;
  item.aliases = stored.aliases;
  item.extract = stored.extract;
  item.compare = stored.compare;
  item.temperature = stored.temperature;
  item.sample = sample_of(stored.record.item);
  item.turns = stored.turns;
  item.answers = stored.answers;
  return item;
}

}  // namespace keju
