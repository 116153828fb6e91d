// SPDX-License-Identifier: MIT
// The backend's host side: index mathematics, memory, copies in flight, and what it says when the
// card fails.
#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Index, PagesHoldEveryKeyAndValueOnceAndInOrder) {
  const PageLayer at{
      .keys = 1000, .values = 1000 + 3 * 64 * 5, .kv_heads = 3, .k_size = 5, .v_size = 7};
  EXPECT_EQ(layer_elements(at), 3 * 64 * 12);
  int64_t next = at.keys;
  for (int h = 0; h < 3; ++h) {
    for (int slot = 0; slot < 64; ++slot, next += 5) ASSERT_EQ(key_at(at, h, slot), next);
  }
  EXPECT_EQ(next, at.values);
  for (int h = 0; h < 3; ++h) {
    for (int slot = 0; slot < 64; ++slot, next += 7) ASSERT_EQ(value_at(at, h, slot), next);
  }
  EXPECT_EQ(next, at.keys + layer_elements(at));
}

TEST(Index, WindowsAndSplits) {
  EXPECT_EQ(first_visible(0, 0), 0);
  EXPECT_EQ(first_visible(5000, 0), 0);
  EXPECT_EQ(first_visible(9, 10), 0);
  EXPECT_EQ(first_visible(10, 10), 1);
  EXPECT_EQ(first_visible(70, 1), 70);
  for (const int64_t window : {0, 1, 64, 513}) {
    for (int64_t position = 0; position < 2000; ++position) {
      const SplitRange range = splits_of(position, window);
      ASSERT_LE(range.first * kSplit, first_visible(position, window));
      ASSERT_GT((range.first + 1) * kSplit, first_visible(position, window));
      ASSERT_LE(range.last * kSplit, position);
      ASSERT_GT((range.last + 1) * kSplit, position);
    }
  }
}

TEST(Index, TilesHoldAtMost64PackedRowsAndAtLeastOneRow) {
  for (int group = 1; group <= 64; ++group) {
    EXPECT_GE(tile_rows(group), 1);
    EXPECT_LE(tile_rows(group) * group, kTileRows);
    EXPECT_GT((tile_rows(group) + 1) * group, kTileRows);
  }
}

TEST(Index, PartialsDoNotOverlap) {
  std::vector<int> used(2 * 3 * 4 * (5 + 2));
  for (int row = 0; row < 2; ++row) {
    for (int head = 0; head < 3; ++head) {
      for (int split = 0; split < 4; ++split) {
        for (int i = 0; i < 7; ++i)
          ++used.at(static_cast<size_t>(partial_at(row, 3, head, 4, split, 5) + i));
      }
    }
  }
  EXPECT_THAT(used, testing::Each(1));
}

TEST(Rings, CarryMoreThanTheyHoldAndGiveItToTheKernels) {
  for (const Stream stream : {Stream::kCopy, Stream::kCompute}) {
    const auto record = std::make_shared<FakeRuntime::Record>();
    FakeRuntime runtime({}, record);
    PinnedRing ring(runtime, stream, 100);
    std::vector<unsigned char> host(1234);
    for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<unsigned char>(i * 7);
    Memory whole(runtime, 1234);
    ring.send(whole.data(), host.data(), 1234);
    Memory rows(runtime, 33 * 10);  // 33 rows of 10 bytes that stand 37 apart
    ring.send_rows(rows.data(), host.data(), 33, 10, 37);
    ring.flush();
    EXPECT_EQ(std::memcmp(whole.data(), host.data(), 1234), 0);
    for (int r = 0; r < 33; ++r)
      EXPECT_EQ(std::memcmp(rows.data() + 10 * r, host.data() + 37 * r, 10), 0) << r;
    EXPECT_EQ(record->pinned_most, 3 * 100);  // never a second copy on the host
  }
}

TEST(Rings, WhatIsNotFlushedIsNotThere) {
  const auto record = std::make_shared<FakeRuntime::Record>();
  FakeRuntime runtime({}, record);
  PinnedRing ring(runtime, Stream::kCopy, 100);
  Memory memory(runtime, 4);
  ring.send(memory.data(), "abc", 4);
  EXPECT_EQ(static_cast<unsigned char>(memory.data()[0]), 0xFF);
  ring.flush();
  EXPECT_EQ(std::memcmp(memory.data(), "abc", 4), 0);
}

TEST(Cards, AreOfComputeCapability8OrLater) {
  try {
    Card card(false, {.major = 7});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("found compute capability 7.0, need 8.0 or later"));
  }
}

TEST(Cards, SayTheirNumericMode) {
  Card exact(true);
  Card native(false);
  EXPECT_EQ(exact.be().facts().numeric_mode, "cuda-exact-f32-r1-sm_90");
  EXPECT_EQ(native.be().facts().numeric_mode, "cuda-native-r1-sm_90");
  EXPECT_EQ(exact.be().facts().name, "cuda");
}

// Every kind of call that a card can refuse: one line of kind kDevice, and nothing left behind.
TEST(Failures, EndInOneLineAndLeaveNoMemory) {
  const Stored stored = random_matrix(DType::kBF16, 40, 64, 3);
  const auto work = [&](Card& card) {
    const auto matrix = card.be().make_matrix(stored.source());
    auto kv = card.be().make_kv_pages(kv_shape(1, 64, 64), 2);
    Array x = Array::random(3, 64, 4);
    Array out(3, 40);
    card.be().linear(x.rows(), *matrix, nullptr, false, out.rows());
    const std::vector<int32_t> rows = {2, 0};
    Array gathered(2, 64);
    card.be().gather(x.rows(), rows, gathered.rows());
    card.be().head(x.rows(), *matrix, {}, {});
  };
  Card sound(false);
  work(sound);
  int failures = 0;
  for (const auto& [kind, calls] : std::map<std::string, int64_t>(sound.record->calls)) {
    for (int64_t at = 1; at <= calls; ++at) {
      FakeRuntime::Settings settings;
      settings.fail_at[kind] = at;
      std::shared_ptr<FakeRuntime::Record> record;
      try {
        Card card(false, settings);
        record = card.record;
        work(card);
        FAIL() << kind << " " << at;
      } catch (const Error& error) {
        ++failures;
        EXPECT_EQ(error.code(), Code::kDevice);
        EXPECT_THAT(error.what(), AllOf(HasSubstr("cuda: " + kind), testing::Not(HasSubstr("\n"))));
      }
      if (record != nullptr) {
        EXPECT_EQ(record->bytes_now, 0) << kind << " " << at;
        EXPECT_EQ(record->pinned_now, 0) << kind << " " << at;
      }
    }
  }
  EXPECT_GT(failures, 15);
}

TEST(Failures, OutOfMemoryNamesFoundAndNeeded) {
  Card card(false, {.total_bytes = 100000});
  try {
    card.be().allocate(1000000);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kDevice);
    EXPECT_THAT(error.what(), HasSubstr("found 100000 bytes free of 100000, need 4000000"));
  }
}

}  // namespace
}  // namespace keju::cuda
