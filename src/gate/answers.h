// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "gate/pace.h"
#include "run/manifest.h"
#include "run/store.h"
#include "score/statistics/kinship.h"

// Runs as comparisons see them: one flat list of judged items per exam.
namespace keju {

struct AnsweredItem {
  std::string id, subject, prompt_hash;
  int64_t row = 0;
  int64_t cluster = 0;   // equal for items that hang together, see cluster_of in score/clusters.h
  bool failed = false;   // it has no answer, only an error
  bool counted = false;  // it is in the averages; `value` and `weight` hold
  double value = 0, weight = 1;
  int gold = -1, choice = -1;
  std::vector<double> option_scores;  // by the headline rule, where options were scored
  std::string said;                   // the generated text, or the text of the chosen option
  std::string extracted;              // what was read out of a generated text
  bool cap_hit = false;               // the text ended at max_tokens
  int64_t truncated_tokens = 0;
};

struct AnsweredExam {
  ExamManifest manifest;
  std::vector<AnsweredItem> items;  // by subject, row and id
  std::string digest;               // as results.json's
  int64_t failed = 0;
  bool complete() const {
    return failed == 0 && static_cast<int64_t>(items.size()) == manifest.items;
  }
};

struct AnsweredRun {
  std::string where;  // the folder as it was given
  std::string model;
  Json manifest;
  std::vector<AnsweredExam> exams;  // in run.json's order
  Paces paces;                      // none where the run took several sessions or processes
  const AnsweredExam* find(const std::string& key) const;
};

AnsweredItem answered(const StoredItem& stored);

// Errors: those of read_manifest and for_each_item; Error(kInput) for an item of an exam that
// run.json lacks.
AnsweredRun read_answers(const std::filesystem::path& folder);

// The items that both runs answered and count, in order, and how many were left out for want of it.
struct ItemPair {
  const AnsweredItem* a;
  const AnsweredItem* b;
};
struct Joined {
  std::vector<ItemPair> pairs;
  int64_t only_a = 0, only_b = 0;  // no such item in the other run
  int64_t other_prompt = 0;        // the same id, asked in other words; joined nevertheless
  int64_t uncounted = 0;           // failed or unlabelled in either
};
Joined join(const AnsweredExam& a, const AnsweredExam& b);

}  // namespace keju
