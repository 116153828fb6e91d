// SPDX-License-Identifier: MIT
// A new token of a generation takes no memory from the heap.
// Not under a sanitizer, which has an operator new of its own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "engine/local_model.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/support/require.h"
#include "tests/support/toy_tokenizer.h"

namespace {
std::atomic<int64_t> allocations{0};
}

// Not inlined: the compiler would see memory of one family given back to another.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace keju {
namespace {

constexpr int64_t kStreams = 3;

// Of kStreams generations of `tokens` new tokens each, one of them sampled. Prompts of 50 tokens:
// between 15 and 78 new tokens everybody crosses one page's border.
int64_t allocations_of(LocalModel& model, int64_t tokens) {
  std::vector<Request> requests;
  for (int64_t i = 0; i < kStreams; ++i) {
    GenerateRequest generate;
    generate.prompt.add_prefix = false;
    generate.prompt.pieces = {
        {"", ParseSpecial::kNo, std::vector<TokenId>(50, 5 + static_cast<TokenId>(i))}};
    generate.max_tokens = tokens;
    generate.ignore_eos = true;
    generate.temperature = i == 1 ? 0.8 : 0;
    generate.top_k = 10;
    Request request;
    request.id = static_cast<uint64_t>(i);
    request.group = request.key = "g";
    request.what = std::move(generate);
    requests.push_back(std::move(request));
  }
  VectorSource source(std::move(requests));
  const int64_t before = allocations;
  const auto session = model.start(source);
  while (session->next()) continue;
  return allocations - before;
}

class Allocation : public testing::TestWithParam<std::string> {};

TEST_P(Allocation, ANewTokenTakesNoMemory) {
  KEJU_NEED(shared);
  const auto backend = make_cpu_backend({.threads = 2, .mode = NumericMode::kExact});
  LocalModelParts parts;
  const auto checkpoint =
      Checkpoint::open((shared_dir() / "fixtures/models" / GetParam()).string());
  parts.checkpoint = checkpoint;
  parts.tokenizer = make_toy_tokenizer();
  parts.backend = backend.get();
  const auto model = LocalModel::create(std::move(parts));
  (void)allocations_of(*model, 60);  // grows what only ever grows
  constexpr int64_t kFewer = 30, kMore = 60;
  const int64_t fewer = allocations_of(*model, kFewer);
  const int64_t more = allocations_of(*model, kMore);
  EXPECT_EQ(more, fewer);
}

INSTANTIATE_TEST_SUITE_P(Models, Allocation, testing::Values("llama", "gemma3", "gpt2", "mixtral"));

}  // namespace
}  // namespace keju

#endif
