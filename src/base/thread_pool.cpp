// SPDX-License-Identifier: MIT
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace keju {
namespace {

using Job = std::function<void(int64_t index, int worker)>;

// Long enough to bridge the gap between two layers of a forward pass, short enough not to matter
// when the pool has nothing to do.
constexpr std::chrono::microseconds kSpin{40};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as `ready` is; false when the patience is over.
template <typename Ready>
bool spin_until(const Ready& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return ready();
}

}  // namespace

// One atomic number decides who may run: `unclaimed`. A thread that lowers it owns an index, and
// while an owned index is unfinished the job cannot end, so `job` and the stretches stand still for
// it. A thread that wakes late finds zero, or a newer job, and either is fine; so no job ever waits
// for a sleeping thread.
// Which index it owns, the stretches say: every thread goes through one of its own, and helps with
// the others' when that is done. Jobs over the same rows then find in a core's cache what the job
// before left there.
struct ThreadPool::State {
  std::vector<std::thread> threads;

  // Indices [next, end); next may run past the end.
  struct alignas(64) Stretch {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  const Job* job = nullptr;
  std::vector<Stretch> stretches;  // one for each thread
  alignas(64) std::atomic<int64_t> unclaimed{0};
  alignas(64) std::atomic<int64_t> unfinished{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> caller_sleeps{false};
  std::atomic<bool> stop{false};
  std::atomic<bool> busy{false};

  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable done;
  std::exception_ptr failure;  // under mutex while a job runs

  explicit State(int size) : stretches(static_cast<size_t>(size)) {}

  void stretch_out(int64_t count) {
    const auto size = static_cast<int64_t>(stretches.size());
    for (int64_t t = 0; t < size; ++t) {
      Stretch& stretch = stretches[static_cast<size_t>(t)];
      stretch.next.store(count * t / size, std::memory_order_relaxed);
      stretch.end = count * (t + 1) / size;
    }
  }

  // For a thread that has lowered `unclaimed`: there is an index for it.
  int64_t claimed(int worker) {
    for (size_t at = static_cast<size_t>(worker);; at = at + 1 < stretches.size() ? at + 1 : 0) {
      Stretch& stretch = stretches[at];
      if (stretch.next.load(std::memory_order_relaxed) >= stretch.end) continue;
      const int64_t index = stretch.next.fetch_add(1, std::memory_order_relaxed);
      if (index < stretch.end) return index;
    }
  }

  // Runs indices until none is left to claim.
  void help(int worker) {
    int64_t finished = 0;
    int64_t left = unclaimed.load();
    while (left > 0) {
      if (!unclaimed.compare_exchange_weak(left, left - 1)) continue;
      try {
        (*job)(claimed(worker), worker);
      } catch (...) {
        {
          const std::lock_guard lock(mutex);
          if (!failure) failure = std::current_exception();
        }
        finished += unclaimed.exchange(0);  // nobody needs the rest any more
      }
      ++finished;
      left = unclaimed.load();
    }
    if (finished == 0) return;
    // Either the caller sees zero before it sleeps, or we see that it sleeps (both are seq_cst).
    if (unfinished.fetch_sub(finished) == finished && caller_sleeps.load()) {
      const std::lock_guard lock(mutex);
      done.notify_one();
    }
  }

  void serve(int worker) {
    const auto ready = [this] { return unclaimed.load() > 0 || stop.load(); };
    while (!stop.load()) {
      if (!spin_until(ready)) {
        std::unique_lock lock(mutex);
        sleepers.fetch_add(1);
        work.wait(lock, ready);
        sleepers.fetch_sub(1);
      }
      help(worker);
    }
  }

  void wake(int64_t wanted) {
    if (sleepers.load() == 0) return;
    const std::lock_guard lock(mutex);
    if (wanted >= sleepers.load()) {
      work.notify_all();
    } else {
      for (; wanted > 0; --wanted) work.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) {
  KEJU_CHECK(threads >= 1, "a pool needs a thread");
  state_ = std::make_unique<State>(threads);
  State* state = state_.get();
  try {
    for (int worker = 1; worker < threads; ++worker) {
      state->threads.emplace_back([state, worker] { state->serve(worker); });
    }
  } catch (const std::system_error& e) {
    state->stop.store(true);
    state->wake(threads);
    for (std::thread& thread : state->threads) thread.join();
    throw fail(Code::kIo,
               "thread pool: found {} threads, need {} ({})",
               state->threads.size() + 1,
               threads,
               e.what());
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true);
  state_->wake(size());
  for (std::thread& thread : state_->threads) thread.join();
}

int ThreadPool::size() const { return static_cast<int>(state_->threads.size()) + 1; }

void ThreadPool::run(int64_t count, const std::function<void(int64_t index)>& job) {
  if (count <= 1 || state_->threads.empty()) {
    for (int64_t index = 0; index < count; ++index) job(index);
    return;
  }
  run_with_worker(count, [&job](int64_t index, int) { job(index); });
}

void ThreadPool::run_with_worker(int64_t count, const Job& job) {
  if (count <= 1 || state_->threads.empty()) {
    for (int64_t index = 0; index < count; ++index) job(index, 0);
    return;
  }
  State& s = *state_;
  KEJU_CHECK(!s.busy.exchange(true), "a thread pool is used inside its own job, or by two callers");
  s.job = &job;
  s.stretch_out(count);
  s.unfinished.store(count);
  s.unclaimed.store(count);
  s.wake(count - 1);
  s.help(0);
  const auto over = [&s] { return s.unfinished.load() == 0; };
  if (!spin_until(over)) {
    std::unique_lock lock(s.mutex);
    s.caller_sleeps.store(true);
    s.done.wait(lock, over);
    s.caller_sleeps.store(false);
  }
  std::exception_ptr failure;
  {
    const std::lock_guard lock(s.mutex);
    std::swap(failure, s.failure);
  }
  s.busy.store(false);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace keju
