// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "run/judging.h"
#include "run/run_lock.h"

namespace keju {

// What a judge said, task by task, in FOLDER/verdicts.jsonl: a first line of what was asked of
// whom, then a line for each verdict, as they come. A start that was killed is gone on with; the
// line that it may have torn is asked again. Threads: one at a time, and one process, which the
// object holds the folder for.
class VerdictLog {
 public:
  // A folder that is new or empty, or one with a log that `judge` began on the same sheet. Errors:
  // Error(kUsage) where the folder holds something else, or the log another judge's or sheet's
  // verdicts (named by the first difference); Error(kIo).
  VerdictLog(const std::filesystem::path& folder, const JudgeSheet& sheet, const Judge& judge);
  ~VerdictLog();
  VerdictLog(const VerdictLog&) = delete;
  VerdictLog& operator=(const VerdictLog&) = delete;

  const JudgeAnswers& found() const { return found_; }  // of earlier starts

  // On disk at the latest 50 ms later, or with sync().
  void add(const JudgeTask& task, const std::string& verdict);
  void sync();

 private:
  void read();
  void write(const std::string& line);

  std::filesystem::path path_;
  std::unique_ptr<RunLock> lock_;
  std::string head_;  // the first line
  JudgeAnswers found_;
  int file_ = -1;
  std::chrono::steady_clock::time_point synced_;
};

// Whether what the folder holds is a judge's log alone, or with it the beginnings of a judged run
// that was never finished: those are removed.
bool clear_to_verdicts(const std::filesystem::path& folder);

}  // namespace keju
