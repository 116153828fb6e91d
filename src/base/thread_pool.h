// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace keju {

// A fixed set of threads that run one job together. The caller is one of them, so a pool of size 1
// starts no thread. Workers spin briefly, then sleep. Not re-entrant; one caller at a time.
class ThreadPool {
 public:
  // `threads` >= 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const;

  // Calls job(index) for every index in [0, count). Every thread goes through a stretch of its own,
  // the caller through the first, and then helps with what the others have left.
  // Returns when all are done; the first exception thrown by a job is thrown again here.
  // Results may not depend on which thread ran an index.
  void run(int64_t count, const std::function<void(int64_t index)>& job);

  // The same with the running thread's number in [0, size()), for per-thread scratch memory.
  void run_with_worker(int64_t count, const std::function<void(int64_t index, int worker)>& job);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keju
