// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "run/manifest.h"
#include "run/store.h"

namespace keju {

// One line of lm-evaluation-harness's samples_*.jsonl (version 0.4.13, protocols §14.3).
struct LmEvalSample {
  Json line;
  std::string hashes;                                   // doc_hash + prompt_hash + target_hash
  std::vector<std::pair<std::string, double>> metrics;  // absent where there is no label
};

// `stored` is not a failed item.
LmEvalSample lm_eval_sample(const ExamManifest& exam, const StoredItem& stored);

// Names of the metrics of an exam's samples, and of the filter that they went through.
std::vector<std::string> lm_eval_metrics(const ExamManifest& exam);
std::string lm_eval_filter(const ExamManifest& exam);

}  // namespace keju
