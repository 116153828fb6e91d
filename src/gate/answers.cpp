// SPDX-License-Identifier: MIT
#include "gate/answers.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"
#include "run/record.h"
#include "score/clusters.h"

namespace keju {
namespace {

void take_outcome(const Outcome& outcome, AnsweredItem& item) {
  if (const auto* scored = std::get_if<Scored>(&outcome)) {
    item.counted = true;
    item.value = scored->value;
    item.weight = scored->weight;
    item.choice = scored->choice;
    item.option_scores = scored->option_scores;
    item.extracted = scored->extracted;
  } else if (const auto* unscored = std::get_if<Unscored>(&outcome)) {
    item.counted = unscored->counts_as_wrong;
    item.weight = unscored->weight;
  } else {
    item.failed = true;
  }
}

bool before(const AnsweredItem& a, const AnsweredItem& b) {
  return std::tie(a.subject, a.row, a.id) < std::tie(b.subject, b.row, b.id);
}

}  // namespace

const AnsweredExam* AnsweredRun::find(const std::string& key) const {
  for (const AnsweredExam& exam : exams) {
    if (exam.manifest.key == key) return &exam;
  }
  return nullptr;
}

AnsweredItem answered(const StoredItem& stored) {
  const ItemRecord& record = stored.record;
  AnsweredItem item;
  item.id = record.item;
  item.subject = record.subject;
  item.prompt_hash = record.prompt_hash;
  item.row = record.row;
  item.gold = record.gold;
  item.cluster = cluster_of(stored.doc, record.item);
  take_outcome(record.outcome, item);
  if (!record.response.error.empty()) return item;
  if (const auto* generated = std::get_if<GenerateResult>(&record.response.what)) {
    item.said = generated->text;
    item.cap_hit = generated->finish == FinishReason::kLength;
    item.truncated_tokens = generated->truncated_tokens;
  } else if (const auto* score = std::get_if<ScoreResult>(&record.response.what)) {
    item.truncated_tokens = score->truncated_tokens;
    const auto choice = static_cast<size_t>(item.choice);
    if (item.choice >= 0 && choice < stored.options.size()) item.said = stored.options[choice];
  }
  return item;
}

// Of a private suite's items ids, values and choices are compared; what was said stays in the run.
static void withhold(AnsweredItem& item) {
  item.said = "withheld: private suite";
  item.extracted.clear();
}

AnsweredRun read_answers(const std::filesystem::path& folder) {
  AnsweredRun run;
  run.where = folder.string();
  run.manifest = read_manifest(folder);
  const std::string where = run.where + "/run.json";
  run.model = string_member(member(run.manifest, "model", where), "name", where);
  std::map<std::string, size_t> index;
  for (ExamManifest& exam : manifest_exams(run.manifest, where)) {
    index[exam.key] = run.exams.size();
    run.exams.emplace_back();
    run.exams.back().manifest = std::move(exam);
  }
  std::vector<std::vector<ItemRecord>> records(run.exams.size());
  std::set<int64_t> sessions;
  for_each_item(folder, "", [&](const StoredItem& stored) {
    const auto found = index.find(stored.record.exam);
    if (found == index.end()) {
      throw fail(Code::kInput,
                 "{}: item \"{}\": its exam \"{}\" is not in run.json",
                 run.where,
                 stored.record.item,
                 stored.record.exam);
    }
    AnsweredExam& exam = run.exams[found->second];
    exam.items.push_back(answered(stored));
    if (exam.manifest.protocol.private_items) withhold(exam.items.back());
    exam.failed += exam.items.back().failed ? 1 : 0;
    records[found->second].push_back(stored.record);
    sessions.insert(stored.session);
  });
  if (sessions.size() == 1 && store_files(folder).size() == 1) {
    std::vector<const ItemRecord*> all;
    for (const auto& exam : records) {
      for (const ItemRecord& record : exam) all.push_back(&record);
    }
    run.paces = paces_of(all);
  }
  for (size_t i = 0; i < run.exams.size(); ++i) {
    AnsweredExam& exam = run.exams[i];
    exam.digest = run_digest(records[i]);
    std::sort(exam.items.begin(), exam.items.end(), before);
  }
  return run;
}

Joined join(const AnsweredExam& a, const AnsweredExam& b) {
  std::map<std::string_view, const AnsweredItem*> theirs;
  for (const AnsweredItem& item : b.items) theirs.emplace(item.id, &item);
  Joined out;
  for (const AnsweredItem& item : a.items) {
    const auto found = theirs.find(item.id);
    if (found == theirs.end()) {
      ++out.only_a;
      continue;
    }
    const AnsweredItem& other = *found->second;
    if (item.prompt_hash != other.prompt_hash) ++out.other_prompt;
    if (item.counted && other.counted) {
      out.pairs.push_back({&item, &other});
    } else {
      ++out.uncounted;
    }
  }
  out.only_b = static_cast<int64_t>(b.items.size() + static_cast<size_t>(out.only_a)) -
               static_cast<int64_t>(a.items.size());
  return out;
}

}  // namespace keju
