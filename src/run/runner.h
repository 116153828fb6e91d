// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "lm/language_model.h"
#include "suite/exam.h"

namespace keju {

struct Progress {
  std::string phase;  // "examine"
  std::string exam;   // exam_key of the running exam
  int64_t items_done = 0, items_total = 0;
  int64_t items_resumed = 0;
  double tokens_per_s = 0;
  double eta_s = 0;  // from tokens where the model plans them, else from items
};

struct RunOptions {
  std::filesystem::path out;                      // the run folder
  std::function<void(const Progress&)> progress;  // may be empty
  const std::atomic<bool>* cancel = nullptr;      // set from a signal: stop in an orderly way
  Json environment;                               // machine, build, command line: only recorded
  std::string model_name;  // as the leaderboard shows it; "": the file's name
  double load_s = 0;       // time that opening the model took, for the report
  int threads = 0;         // programs that are run at once; 0: one per core
  // Which items this start is to finish, by exam key and place; empty: all. The run stays
  // incomplete until a start has left none out.
  std::function<bool(const std::string& exam, int64_t index)> only;
};

struct RunSummary {
  bool complete = false;
  int64_t total = 0, scored = 0, unscored = 0, failed = 0, resumed = 0;
  // Why items failed, most frequent first, with how many; of many reasons only the first to come.
  std::vector<std::pair<std::string, int64_t>> failures;
  std::string digest;
  std::filesystem::path results;  // results.json
};

// Whether the exams that run what the model writes can do so here; run_exams asks, too, but a
// caller may want to know before it opens a model. Returns the sandbox's description for the run's
// record,
// "" if none is needed. Errors: those of CodeSandbox::open, suite named.
std::string check_sandbox(const std::vector<std::unique_ptr<Exam>>& exams);

// Examines `model` on each exam and stores every item as it finishes (run.db, SQLite WAL,
// synchronous=FULL). An existing folder with the same fingerprint (run.json) is resumed: finished
// items are not computed again, failed ones are. Another fingerprint is Error(kUsage) that names
// the first differing field with both values. Writes results.json at the end of every orderly run,
// complete or not. A full disk is Error(kIo), a device that fails Error(kDevice); finished items
// stay, and the message counts them.
RunSummary run_exams(LanguageModel& model,
                     const std::vector<std::unique_ptr<Exam>>& exams,
                     const RunOptions& options);

}  // namespace keju
