// SPDX-License-Identifier: MIT
// Proof of the prover: kernels with one planted fault each, which the interpreter must find, and
// their repaired twins, which it must let pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/cuda/ptx.cuh"

namespace keju::cuda {
namespace {

using testing::HasSubstr;

// What a launch reports, "" if nothing.
template <typename Launch>
std::string fault_of(const Launch& launch_it) {
  try {
    launch_it();
  } catch (const simt::Fault& fault) {
    return fault.what();
  }
  return "";
}

// Rows of 64 threads turned round within their block, through shared memory.
template <bool barrier>
__global__ void turn_round(const float* in, float* out) {
  KEJU_SHARED(float, part, 64);
  part[threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
  if constexpr (barrier) __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = part[63 - threadIdx.x];
}

std::vector<float> counted(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

class Planted : public testing::Test {
 protected:
  void TearDown() override { simt::set_order(simt::Order::kAscending); }
};

TEST_F(Planted, BarriersOrderSharedMemoryUnderEveryOrderOfThreads) {
  const std::vector<float> in = counted(128);
  for (const auto order :
       {simt::Order::kAscending, simt::Order::kDescending, simt::Order::kShuffled}) {
    simt::set_order(order, 7);
    std::vector<float> out(128);
    launch({.grid_x = 2, .block = 64}, turn_round<true>, in.data(), out.data());
    for (int i = 0; i < 128; ++i) EXPECT_EQ(out[i], static_cast<float>(i / 64 * 64 + 63 - i % 64));
  }
}

#if !defined(KEJU_SIMT_TSAN)
TEST_F(Planted, AMissingBarrierShowsAsUnsetMemory) {
  const std::vector<float> in = counted(64);
  std::vector<float> out(64);
  launch({.block = 64}, turn_round<false>, in.data(), out.data());
  EXPECT_TRUE(std::isnan(out[0]));
}
#endif

__global__ void sum_without_zeroing(const float* in, float* out) {
  KEJU_SHARED(float, sums, 32);
  sums[threadIdx.x] += in[threadIdx.x];
  out[threadIdx.x] = sums[threadIdx.x];
}

TEST_F(Planted, UninitialisedSharedMemoryReachesTheResultAsNan) {
  const std::vector<float> in = counted(32);
  std::vector<float> out(32);
  launch({.block = 32}, sum_without_zeroing, in.data(), out.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
}

__global__ void barrier_for_half(float* out) {
  if (threadIdx.x < 48) __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers(float* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = 1;
}

__global__ void shuffle_for_half(float* out) {
  float value = static_cast<float>(threadIdx.x);
  if (threadIdx.x % 32 < 16) value += __shfl_xor_sync(0xFFFFFFFFu, value, 8);
  out[threadIdx.x] = value;
}

__global__ void shuffle_meets_vote(unsigned* out) {
  if (threadIdx.x % 2 == 0) {
    out[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, threadIdx.x, 2);
  } else {
    out[threadIdx.x] = __ballot_sync(0xFFFFFFFFu, 1);
  }
}

TEST_F(Planted, ABarrierThatSomeThreadsNeverReachIsNamedWithWhoWaits) {
  std::vector<float> out(64);
  const std::string fault = fault_of([&] { launch({.block = 64}, barrier_for_half, out.data()); });
  EXPECT_THAT(fault, HasSubstr("deadlock"));
  EXPECT_THAT(fault,
              HasSubstr("48 of 64 threads, first 0, wait at __syncthreads (planted_test.cpp:"));
  EXPECT_THAT(fault, HasSubstr("16 of 64 threads, first 48, finished"));
}

TEST_F(Planted, TwoDifferentBarriersDoNotMeet) {
  std::vector<float> out(64);
  EXPECT_THAT(fault_of([&] { launch({.block = 64}, two_barriers, out.data()); }),
              HasSubstr("divergent barrier"));
}

TEST_F(Planted, AWarpWideInstructionWantsTheWholeWarp) {
  std::vector<float> out(32);
  EXPECT_THAT(fault_of([&] { launch({.block = 32}, shuffle_for_half, out.data()); }),
              HasSubstr("16 of 32 threads, first 0, wait at __shfl_xor_sync"));
  std::vector<unsigned> votes(32);
  EXPECT_THAT(fault_of([&] { launch({.block = 32}, shuffle_meets_vote, votes.data()); }),
              HasSubstr("divergent warp"));
}

template <bool wait>
__global__ void copy_in(const float* in, float* out) {
  KEJU_SHARED(float, part, 128);
  copy16_async(part + 4 * threadIdx.x, in + 4 * threadIdx.x, threadIdx.x < 31 ? 16 : 0);
  commit_copies();
  if constexpr (wait) wait_copies<0>();
  __syncthreads();
  for (int i = 0; i < 4; ++i) out[32 * i + threadIdx.x] = part[32 * i + threadIdx.x];
  wait_copies<0>();
}

TEST_F(Planted, AnAsynchronousCopyIsThereOnlyOnceItWasWaitedFor) {
  const std::vector<float> in = counted(128);
  std::vector<float> out(128);
  launch({.block = 32}, copy_in<true>, in.data(), out.data());
  for (size_t i = 0; i < 124; ++i) EXPECT_EQ(out[i], in[i]);
  for (size_t i = 124; i < 128; ++i) EXPECT_EQ(out[i], 0);
#if !defined(KEJU_SIMT_TSAN)
  launch({.block = 32}, copy_in<false>, in.data(), out.data());
  EXPECT_TRUE(std::isnan(out[0]));
#endif
}

// Reads what an asynchronous copy of another thread is about to overwrite.
template <bool barrier>
__global__ void overwrite_too_soon(const float* in, float* out) {
  KEJU_SHARED(float, part, 256);
  for (int i = 0; i < 4; ++i) part[64 * i + threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = part[255 - threadIdx.x];
  if constexpr (barrier) __syncthreads();
  copy16_async(part + 4 * threadIdx.x, in + 4 * threadIdx.x, 16);
  commit_copies();
  wait_copies<0>();
}

TEST_F(Planted, AnAsynchronousCopyUnsetsItsTargetAtOnce) {
  const std::vector<float> in = counted(256);
  for (const auto order : {simt::Order::kAscending, simt::Order::kDescending}) {
    simt::set_order(order);
    std::vector<float> out(64);
    launch({.block = 64}, overwrite_too_soon<true>, in.data(), out.data());
    EXPECT_THAT(out, testing::Each(1.0f));
#if !defined(KEJU_SIMT_TSAN)
    launch({.block = 64}, overwrite_too_soon<false>, in.data(), out.data());
    EXPECT_THAT(out, testing::Contains(testing::Ne(1.0f)));
#endif
  }
}

__global__ void copy_and_leave(const float* in) {
  KEJU_SHARED(float, part, 128);
  copy16_async(part + 4 * threadIdx.x, in + 4 * threadIdx.x, 16);
  commit_copies();
}

__global__ void copy_misaligned(const float* in) {
  KEJU_SHARED(float, part, 132);
  copy16_async(part + 4 * threadIdx.x + 1, in + 4 * threadIdx.x, 16);
}

TEST_F(Planted, CopiesNobodyWaitsForAndCrookedAddressesAreFaults) {
  const std::vector<float> in = counted(132);
  EXPECT_THAT(fault_of([&] { launch({.block = 32}, copy_and_leave, in.data()); }),
              HasSubstr("ended before it waited"));
  EXPECT_THAT(fault_of([&] { launch({.block = 32}, copy_misaligned, in.data()); }),
              HasSubstr("cp.async: an address"));
}

TEST_F(Planted, LaunchesThatNoCardTakesAreFaults) {
  std::vector<float> out(64);
  const auto start = [&](LaunchShape shape) {
    return fault_of([&] { launch(shape, two_barriers, out.data()); });
  };
  EXPECT_THAT(start({.block = 40}), HasSubstr("multiple of 32"));
  EXPECT_THAT(start({.block = 2048}), HasSubstr("multiple of 32"));
  EXPECT_THAT(start({.grid_y = 70000, .block = 32}), HasSubstr("no card takes"));
  EXPECT_THAT(start({.block = 32, .shared = 300000}), HasSubstr("bytes of shared memory"));
}

// -- what the sanitizers find; each in a process of its own, since they end it --------------------

[[maybe_unused]] __global__ void write_past_global(float* out) {
  out[blockIdx.x * 32 + threadIdx.x + 1] = 1;
}

[[maybe_unused]] __global__ void add_to_one_word(float* out) { *out += 1; }

// One thread of each block adds: only blocks can be out of order with each other, and their own
// barriers do not help.
[[maybe_unused]] __global__ void add_block_by_block(float* out) {
  __syncthreads();
  if (threadIdx.x == 0) *out += 1;
  __syncthreads();
}

// Neighbours hand values over through shared memory; a shuffle orders no memory, __syncwarp does.
template <bool barrier>
[[maybe_unused]] __global__ void hand_over(float* out) {
  KEJU_SHARED(float, part, 32);
  part[threadIdx.x] = static_cast<float>(threadIdx.x);
  if constexpr (barrier) __syncwarp();
  const float sum = __shfl_xor_sync(0xFFFFFFFFu, part[threadIdx.x], 1);
  out[threadIdx.x] = sum + part[threadIdx.x ^ 2];
}

#if defined(__SANITIZE_ADDRESS__)
__global__ void read_past_shared(float* out) {
  KEJU_SHARED(float, part, 32);
  part[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = part[threadIdx.x + 1];
}

TEST_F(Planted, AddressSanitizerSeesPastTheEndOfSharedAndGlobalMemory) {
  std::vector<float> out(64);
  EXPECT_DEATH(launch({.block = 32}, read_past_shared, out.data()), "heap-buffer-overflow");
  EXPECT_DEATH(launch({.grid_x = 2, .block = 32}, write_past_global, out.data()),
               "heap-buffer-overflow");
}
#endif

#if defined(KEJU_SIMT_TSAN)
// Runs a launch and ends the process in order: what dies does so of a report.
template <typename Launch>
void run_alone(const Launch& launch_it) {
  launch_it();
  _exit(0);
}

TEST_F(Planted, ThreadSanitizerSeesUnorderedAccesses) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const std::vector<float> in = counted(64);
  std::vector<float> out(64);
  EXPECT_DEATH(run_alone([&] { launch({.block = 64}, turn_round<false>, in.data(), out.data()); }),
               "data race");
  EXPECT_DEATH(run_alone([&] { launch({.grid_x = 2, .block = 32}, add_to_one_word, out.data()); }),
               "data race");
  EXPECT_DEATH(
      run_alone([&] { launch({.grid_x = 2, .block = 32}, add_block_by_block, out.data()); }),
      "data race");
  EXPECT_DEATH(run_alone([&] { launch({.block = 32}, hand_over<false>, out.data()); }),
               "data race");
  const std::vector<float> more = counted(128);
  std::vector<float> copied(128);
  EXPECT_DEATH(
      run_alone([&] { launch({.block = 32}, copy_in<false>, more.data(), copied.data()); }),
      "data race");
}

TEST_F(Planted, ThreadSanitizerLetsOrderedAccessesPass) {
  const std::vector<float> in = counted(128);
  std::vector<float> out(128);
  launch({.grid_x = 2, .block = 64}, turn_round<true>, in.data(), out.data());
  launch({.block = 32}, add_block_by_block, out.data());
  launch({.block = 32}, add_block_by_block, out.data());  // one launch waits for the other
  launch({.block = 32}, hand_over<true>, out.data());
  EXPECT_EQ(out[0], 1 + 2);
}
#endif

#if !defined(__SANITIZE_ADDRESS__) && !defined(KEJU_SIMT_TSAN)
TEST_F(Planted, KernelsForTheSanitizersRunWhereNoneWatches) {
  std::vector<float> out(65);
  launch({.grid_x = 2, .block = 32}, write_past_global, out.data());
  EXPECT_EQ(out[64], 1);
  launch({.grid_x = 2, .block = 32}, add_to_one_word, out.data());
  EXPECT_EQ(out[0], 64);
  launch({.grid_x = 2, .block = 32}, add_block_by_block, out.data());
  EXPECT_EQ(out[0], 66);
  launch({.block = 32}, hand_over<false>, out.data());
  EXPECT_EQ(out[5], 4 + 7);
}
#endif

// -- the matrix instructions against their definition ---------------------------------------------

__global__ void multiply_tile(const Bf16* a, const Bf16* b, float* d) {
  KEJU_SHARED(Bf16, rows, 16 * 16);
  KEJU_SHARED(Bf16, columns, 16 * 8);
  for (int i = static_cast<int>(threadIdx.x); i < 256; i += 32) rows[i] = a[i];
  for (int i = static_cast<int>(threadIdx.x); i < 128; i += 32) columns[i] = b[i];
  __syncthreads();
  const int i = static_cast<int>(threadIdx.x);
  uint32_t left[4];
  load_matrices(left, rows + (i % 16) * 16 + i / 16 * 8);
  uint32_t right[4];  // b is [k][n]: transposed on the way; the upper two repeat the lower
  load_matrices_transposed(right, columns + (i % 16) * 8);
  float sum[4] = {1, 1, 1, 1};
  multiply<Bf16>(sum, left, right[0], right[1]);
  for (int e = 0; e < 4; ++e) d[(i / 4 + e / 2 * 8) * 8 + 2 * (i % 4) + e % 2] = sum[e];
}

TEST_F(Planted, MatrixInstructionsMultiply) {
  std::vector<Bf16> a(256), b(128);
  const auto small = [](int i) { return static_cast<float>((i * 37) % 11 - 5); };  // exact in bf16
  for (int i = 0; i < 256; ++i) a[i] = {f32_to_bf16(small(i))};
  for (int i = 0; i < 128; ++i) b[i] = {f32_to_bf16(small(i + 3))};
  std::vector<float> d(128);
  launch({.block = 32}, multiply_tile, a.data(), b.data(), d.data());
  for (int r = 0; r < 16; ++r) {
    for (int c = 0; c < 8; ++c) {
      float want = 1;
      for (int k = 0; k < 16; ++k) want += small(r * 16 + k) * small(k * 8 + c + 3);
      EXPECT_EQ(d[r * 8 + c], want) << r << ", " << c;
    }
  }
}

}  // namespace
}  // namespace keju::cuda
