// SPDX-License-Identifier: MIT
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"

namespace keju {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<int> hits(static_cast<size_t>(count), 0);  // plain: each index has one owner
      pool.run(count, [&](int64_t index) { ++hits[static_cast<size_t>(index)]; });
      EXPECT_EQ(hits, std::vector<int>(static_cast<size_t>(count), 1));
    }
  }
}

TEST(ThreadPool, WorkerNumbersAreExclusive) {
  ThreadPool pool(4);
  std::vector<int64_t> sums(4, 0);  // unguarded, so that a shared number is a race
  pool.run_with_worker(
      10000, [&](int64_t index, int worker) { sums.at(static_cast<size_t>(worker)) += index; });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), int64_t{10000} * 9999 / 2);
}

TEST(ThreadPool, ManyShortJobs) {
  ThreadPool pool(4);
  int64_t total = 0;
  for (int64_t round = 0; round < 5000; ++round) {
    std::vector<int64_t> out(static_cast<size_t>(2 + round % 5), 0);
    pool.run(static_cast<int64_t>(out.size()),
             [&](int64_t index) { out[static_cast<size_t>(index)] = round + index; });
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(out[i], round + static_cast<int64_t>(i));
      ++total;
    }
  }
  EXPECT_GT(total, 0);
}

TEST(ThreadPool, WakesAfterSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> ran{0};
    // Both jobs wait for each other, so they need two threads at once.
    pool.run(2, [&](int64_t) {
      ran.fetch_add(1);
      while (ran.load() < 2) std::this_thread::yield();
    });
    EXPECT_EQ(ran.load(), 2);
  }
}

TEST(ThreadPool, CallerSleepsThroughLongJobs) {
  ThreadPool pool(2);
  std::atomic<int> ran{0};
  pool.run_with_worker(2, [&](int64_t, int worker) {
    ran.fetch_add(1);
    while (ran.load() < 2) std::this_thread::yield();
    if (worker == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ran.fetch_add(1);
  });
  EXPECT_EQ(ran.load(), 4);
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> ran{0};
      EXPECT_THROW(pool.run(1000,
                            [&](int64_t index) {
                              ran.fetch_add(1);
                              if (index == 5) throw std::runtime_error("five");
                            }),
                   std::runtime_error);
      EXPECT_LE(ran.load(), 1000);
      std::atomic<int64_t> sum{0};
      pool.run(100, [&](int64_t index) { sum.fetch_add(index); });
      EXPECT_EQ(sum.load(), 4950);
    }
    EXPECT_THROW(pool.run(100, [](int64_t) { throw std::runtime_error("all"); }),
                 std::runtime_error);
  }
}

// What a thread has done in one job lies in its core's cache for the next one.
TEST(ThreadPool, ThreadsBeginWithStretchesOfTheirOwn) {
  ThreadPool pool(2);
  for (int i = 0; i < 20; ++i) {
    std::atomic<int64_t> first{-1};  // of the other thread
    pool.run_with_worker(100, [&](int64_t index, int worker) {
      if (worker == 1) {
        int64_t none = -1;
        first.compare_exchange_strong(none, index);
      }
      // The caller takes nothing of the other's before that one has begun.
      while (worker == 0 && first.load() < 0) std::this_thread::yield();
    });
    EXPECT_EQ(first.load(), 50);
  }
}

TEST(ThreadPool, RefusesMisuse) {
  EXPECT_THROW(ThreadPool(0), Error);
  ThreadPool pool(2);
  EXPECT_THROW(pool.run(2, [&](int64_t) { pool.run(2, [](int64_t) {}); }), Error);
}

TEST(ThreadPool, StartsAndStops) {
  for (int i = 0; i < 100; ++i) {
    ThreadPool pool(3);
    if (i % 2) pool.run(3, [](int64_t) {});
  }
}

}  // namespace
}  // namespace keju
