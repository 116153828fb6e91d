// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "lm/language_model.h"
#include "run/manifest.h"
#include "score/outcome.h"

namespace keju {

// How a run's answers are judged: each by itself against the suite's rubric, or against another
// run's answer to the same item, in both orders.
struct JudgeOptions {
  std::filesystem::path run;
  std::optional<std::filesystem::path> against;  // given: pairwise
  int votes = 1;                                 // of each item and order
};

// One thing to ask a judge. Its text names no model, and its id tells nothing: a hash of what it
// stands for.
struct JudgeTask {
  std::string id;
  std::string exam, item;
  bool swapped = false;  // the other run's answer stands first
  int vote = 0;
  std::string prompt;
};

// All tasks of a run, with what they were made of.
struct JudgeSheet {
  bool pairwise = false;
  int votes = 1;
  std::string run_digest, against_digest;      // the latter "" for scores
  std::string against_model;                   // its name
  std::map<std::string, std::string> prompts;  // sha256 of the prompt template, by exam
  std::map<std::string, JudgeRules> rules;     // by exam
  std::vector<JudgeTask> tasks;                // in the run's order
};

// Errors: those of reading a run; Error(kUsage) where no exam of the run is one to be judged, its
// suite has no template for this, or the other run lacks an item or was asked something else.
JudgeSheet judge_sheet(const JudgeOptions& options);

// Who judged, for the record.
struct Judge {
  std::string name;
  std::string digest;  // of the weights; "" for people and services
  Json details = Json::object();
};

// What judges said, by task id. A task without an entry is a missing verdict.
using JudgeAnswers = std::map<std::string, std::string>;

// What the verdicts make of a run's items, and the counts that stand beside them.
struct Verdicts {
  std::map<std::string, Outcome> outcomes;  // by exam and item, as `verdict_key` joins them
  std::map<std::string, Json> records;      // by exam: judge, template hash, counts
};
std::string verdict_key(const std::string& exam, const std::string& item);

// A score is the mean of an item's votes that could be read, over `highest`. A pair is won (1) or
// lost (0) where both orders agree, by the majority of their votes, and a tie (0.5) where they do
// not. An item with a missing or unreadable verdict that it cannot do without is unscored, with the
// reason, in no average, and counted.
Verdicts weigh(const JudgeSheet& sheet, const JudgeAnswers& answers, const Judge& judge);

// Asks a model all tasks but those that have an answer in `known`, greedily for one vote and else
// at `temperature`. `chat`: as a user's turn. Each answer goes through `keep` as it comes; those
// known and those that came are returned. Returns early, with what there is, once `cancel` is set.
struct AskOptions {
  bool chat = true;
  double temperature = 0.7;
  JudgeAnswers known;
  std::function<void(const JudgeTask& task, const std::string& answer)> keep;
  std::function<void(int64_t done, int64_t total)> progress;
  const std::atomic<bool>* cancel = nullptr;
};
JudgeAnswers ask_judge(LanguageModel& judge, const JudgeSheet& sheet, const AskOptions& options);

// For people and batch services: DIR/questions.jsonl or .csv (id, prompt, verdict) in the order of
// the ids, which is none, and DIR/key.json, which says what the ids stand for. Returns the files.
enum class SheetFormat { kJsonl, kCsv };
std::vector<std::filesystem::path> export_sheet(const JudgeSheet& sheet,
                                                SheetFormat format,
                                                const std::filesystem::path& out);

// Reads back a questions file with its verdict column filled in, as far as it is. Errors:
// Error(kInput) for an id that the sheet lacks or that occurs twice.
JudgeAnswers read_answers(const std::filesystem::path& file, const JudgeSheet& sheet);

// How a sheet for the same runs must be made to fit a key. Errors: Error(kUsage) where the runs are
// not those that the key was made of.
JudgeOptions options_of_key(const std::filesystem::path& key,
                            const std::filesystem::path& run,
                            const std::optional<std::filesystem::path>& against);

}  // namespace keju
