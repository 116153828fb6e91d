// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "lm/language_model.h"
#include "run/runner.h"

namespace keju {

// How far a pass has come.
struct Work {
  int64_t total = 0;       // items of the run
  int64_t resumed = 0;     // of these, done by earlier sessions
  int64_t done = 0;        // by this session
  int64_t handed_out = 0;  // pulled by the model: its current window and all before
  SessionStats stats;
};

// Seconds until `work` ends if it goes on as in its first `elapsed_s` seconds: from tokens where
// the model plans them (those of its window are known, later items are taken to be of the size of
// those so far), else, and where answers are generated, from items. 0 while nothing is known.
double eta_s(const Work& work, double elapsed_s);

// Calls back at most ten times a second: a fast model may finish thousands of items in one.
class Meter {
 public:
  enum When { kWhenDue, kAlways };
  explicit Meter(std::function<void(const Progress&)> listener);
  void tell(const std::string& exam, const Work& work, When when);
  double elapsed_s() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::function<void(const Progress&)> listener_;
  Clock::time_point begin_ = Clock::now();
  Clock::time_point told_;
  bool silent_ = true;
  std::string exam_;
};

}  // namespace keju
