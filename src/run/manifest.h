// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

// run.json: what a run is. `fingerprint` decides whether a folder may be resumed; `model` and
// `exams` describe the examinee and the papers, so that results can be computed from the folder
// alone; `environment` is only recorded.
inline constexpr const char* kManifestSchema = "keju.run/1";

// What run.json holds of an exam, read back.
struct ExamManifest {
  std::string key;
  std::string suite;
  std::string title_zh, title_en;
  int64_t version = 0;
  Protocol protocol;
  std::string split;
  int shots = 0;
  std::optional<int64_t> limit;
  std::vector<SubjectInfo> subjects;
  std::vector<std::string> categories;
  double chance = 0;
  std::string suite_hash, data_hash;
  bool data_hash_matches_card = false;
  int64_t items = 0;
  std::string item_set;  // sha256 over ids and prompts, in order: what was asked
  std::string first_prompt_sha256;
  Json judged;  // of a judged run: who judged, by what, how many verdicts; else null
};

// Renders every item once: the prompts are part of a run's identity. Errors: Error(kInput) where
// two items share an id.
Json make_manifest(const ModelFacts& facts,
                   const std::vector<std::unique_ptr<Exam>>& exams,
                   const std::string& model_name,
                   const Json& environment);

// Errors: Error(kUsage) naming the first field in which the fingerprints differ, with both values.
void check_same_run(const Json& found, const Json& wanted, const std::string& where);

// Errors: Error(kIo) if the folder has no run.json, Error(kInput) if it is not as it should be.
Json read_manifest(const std::filesystem::path& folder);
std::vector<ExamManifest> manifest_exams(const Json& manifest, const std::string& where);

std::string_view name(Task task);          // "choose", "generate", "perplexity"
std::string_view name(ChoiceScore score);  // "sum", "per_char", …
// The rule that a name stands for; none for an unknown one.
std::optional<ChoiceScore> choice_score(std::string_view name);
std::string_view name(OptionToken token);  // "retokenize", …

}  // namespace keju
