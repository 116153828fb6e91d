// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <future>
#include <thread>
#include <utility>

namespace keju {

// Jobs on several threads, for what waits on other processes (programs in their sandbox). Results
// come back on the caller's thread, in the order in which jobs were given. A job's exception comes
// out of the call that would have handed over its result.
template <typename Result>
class Workers {
 public:
  // `threads` jobs at once; 0 means one per core.
  Workers(int threads, std::function<void(Result)> take)
      : most_(threads > 0 ? static_cast<size_t>(threads)
                          : std::max<size_t>(1, std::thread::hardware_concurrency())),
        take_(std::move(take)) {}
  ~Workers() = default;  // waits for the jobs that are at work
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Waits where all threads are busy.
  void give(std::function<Result()> job) {
    if (jobs_.size() == most_) take_first();
    jobs_.push_back(std::async(std::launch::async, std::move(job)));
  }

  // Hands over what is left. Where several jobs fail, the first one's error is the one to tell.
  void finish() {
    while (!jobs_.empty()) take_first();
  }

 private:
  void take_first() {
    std::future<Result> first = std::move(jobs_.front());
    jobs_.pop_front();
    take_(first.get());
  }

  size_t most_;
  std::function<void(Result)> take_;
  std::deque<std::future<Result>> jobs_;
};

}  // namespace keju
