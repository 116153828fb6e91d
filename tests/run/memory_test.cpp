// SPDX-License-Identifier: MIT
// Memory does not grow with the number of items, but for the few bytes an item that are named here.
// Counted on the heap, not as resident pages; not under a sanitizer, which has an operator new of
// its own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

#include "lm/fake_model.h"
#include "run/results.h"
#include "run/runner.h"
#include "tests/support/temp_folder.h"

namespace {

std::atomic<int64_t> live{0}, peak{0};

void* count(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const int64_t now = live += static_cast<int64_t>(malloc_usable_size(memory));
  for (int64_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) continue;
  return memory;
}

void forget(void* memory) {
  if (memory != nullptr) live -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

// Not inlined: the compiler would see memory of one family given back to another.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return count(std::malloc(size > 0 ? size : 1));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { forget(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { forget(memory); }

namespace keju {
namespace {

constexpr int64_t kFew = 2000, kMany = 20000;

// Most heap bytes that were in use at once while `work` ran, beyond those before it.
template <typename Work>
int64_t peak_of(Work work) {
  const int64_t before = live;
  peak = before;
  work();
  return peak - before;
}

// A paper of one subject in CMMLU's layout.
void write_paper(const std::filesystem::path& data, int64_t items) {
  const std::filesystem::path folder = data / "cmmlu" / "test";
  std::filesystem::create_directories(folder);
  std::ofstream out(folder / "agronomy.csv");
  out << ",Question,A,B,C,D,Answer\n";
  for (int64_t i = 0; i < items; ++i) {
    out << i << ",第" << i << "题：下列关于土壤和作物的说法中哪一项是正确的,甲" << i << ",乙" << i
        << ",丙" << i << ",丁" << i << ',' << "ABCD"[i % 4] << '\n';
  }
}

std::vector<std::unique_ptr<Exam>> open_paper(const std::filesystem::path& data) {
  ExamOptions options;
  options.suite = "cmmlu";
  options.data = data;
  options.protocol = "lm-eval";
  options.subjects = {"agronomy"};
  std::vector<std::unique_ptr<Exam>> exams;
  exams.push_back(Exam::open(options));
  return exams;
}

// Heap bytes that each further item takes at the peak of `work(data folder, run folder)`.
template <typename Work>
double bytes_per_item(Work work) {
  int64_t bytes[2];
  const int64_t items[] = {kFew, kMany};
  for (int i = 0; i < 2; ++i) {
    const TempFolder folder;
    write_paper(folder / "data", items[i]);
    bytes[i] = peak_of([&] { work(folder / "data", folder / "run"); });
  }
  return static_cast<double>(bytes[1] - bytes[0]) / static_cast<double>(kMany - kFew);
}

void examine(const std::filesystem::path& data, const std::filesystem::path& out, bool stop) {
  std::atomic<bool> cancel{false};
  FakeScript script;
  if (stop) script.before_response = [&](int64_t response) { cancel = response == kFew / 2; };
  const auto model = make_fake_model(std::move(script));
  RunOptions options;
  options.out = out;
  options.cancel = &cancel;
  options.environment = {{"build", "test"}};
  const RunSummary summary = run_exams(*model, open_paper(data), options);
  ASSERT_EQ(summary.complete, !stop);
}

// Eight bytes of each row; eight more, while the file is read, for ids that must differ.
TEST(Memory, OfAnOpenPaper) {
  EXPECT_LT(bytes_per_item([](const auto& data, const auto&) { open_paper(data); }), 24);
}

// While items are asked a bit of each; for the results two doubles of timing and one for each rule
// that is averaged, in vectors that may have twice their size and are copied when they grow.
TEST(Memory, OfARunAndItsResults) {
  EXPECT_LT(bytes_per_item([](const auto& data, const auto& out) { examine(data, out, false); }),
            128);
}

TEST(Memory, OfAResumedRun) {
  EXPECT_LT(bytes_per_item([](const auto& data, const auto& out) {
              examine(data, out, true);
              examine(data, out, false);
            }),
            128);
}

}  // namespace
}  // namespace keju

#endif
