// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gate/answers.h"

namespace keju {

inline constexpr const char* kBaselineSchema = "keju.baseline/1";

// What a pilot (two runs of models that count as equal) showed of a comparison's noise.
struct Pilot {
  double discordance = 0;    // share of items that the two answered differently
  double design_effect = 1;  // of the paired difference
  std::string from;          // which runs, or who assumed it
};

// What a gate must remember of a run: small enough to commit beside the code that it guards.
struct BaselineExam {
  Json entry;                                 // of run.json: what was asked and how
  std::string key, digest;                    // digest as results.json's
  std::vector<std::optional<double>> values;  // by subject, row and id; none: not in the averages
  int64_t cap_hits = 0, failed = 0;
  double chance = 0;
  bool perplexity = false;  // bits per byte: no share of right answers
  bool complete = false;
};

struct Baseline {
  std::string where, model;
  Json fingerprint;
  std::vector<BaselineExam> exams;
  std::optional<double> prefill_tokens_per_s, decode_tokens_per_s;
  Paces paces;
  std::optional<Pilot> pilot;
};

Baseline baseline_of(const AnsweredRun& run, const Json& results);

// A run folder or a baseline file. Errors: those of read_answers; Error(kInput) naming the field,
// Error(kUnsupported) for another schema.
Baseline read_baseline(const std::filesystem::path& path);

// Errors: Error(kInput) for an incomplete run, which can be no baseline; Error(kIo).
void write_baseline(const Baseline& baseline, const std::filesystem::path& path);

// Rates of results.json, where it has them.
std::optional<double> rate_of(const Json& results, const char* name);

}  // namespace keju
