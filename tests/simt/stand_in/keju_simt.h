// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

// The CUDA language for a host compiler: enough of it to run the kernels of kernels/cuda on a CPU,
// one fiber per CUDA thread, one block after another, fibers switched only at collectives. What a
// kernel does wrong is reported as a Fault (divergence, deadlock, wrong launch), by
// AddressSanitizer (bounds: every shared array is an allocation of its own) or by ThreadSanitizer
// (unordered accesses), or shows as NaN (uninitialised shared memory is filled with 0xFF).
//
// One launch at a time in a process: threads take turns.
namespace keju::simt {

// A kernel broke a rule of the language. The message names the rule and the threads.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

struct Shape {
  int64_t grid_x, grid_y, grid_z;
  int block;
  size_t shared;
};

// Runs body(closure) as every thread of every block. Errors: Fault.
void run(const Shape& shape, void (*body)(const void*), const void* closure);

// As long as a list is set, launches of the calling thread are not run but added to it.
using Launches = std::vector<std::function<void()>>;
void note_launches(Launches* list);
Launches* noted_launches();

template <typename Call>
void launch(const Shape& shape, const Call& call) {
  const auto body = [](const void* closure) { (*static_cast<const Call*>(closure))(); };
  if (Launches* const list = noted_launches()) {
    list->push_back([shape, call, body] { run(shape, body, &call); });
  } else {
    run(shape, body, &call);
  }
}

// In which order the ready threads of a block run. A kernel with all its barriers gives the same
// bits under each of them.
enum class Order { kAscending, kDescending, kShuffled };
void set_order(Order order, uint64_t seed = 0);

// What a card grants to one block; the default is sm_80's, the smallest that keju supports.
inline constexpr size_t kSharedLimit = 163 * 1024;

void* shared_array(const char* file, int line, size_t size, size_t count);
void* dynamic_shared();

// Ends the launch with a Fault. Called by kernel code that is running on a fiber.
[[noreturn]] void fault(const char* message);

// What each thread of a warp hands to the others at a warp-wide instruction.
inline constexpr int kWarp = 32;
struct alignas(16) Deposit {
  unsigned char bytes[48];
};
// Whether a warp-wide instruction orders the threads' accesses to memory: __syncwarp does,
// shuffles, votes and matrix instructions do not (CUDA C++ Programming Guide, "Warp Shuffle
// Functions").
enum class Ordering { kNone, kMemory };
// Waits until all 32 threads of the warp are at this same instruction; returns their deposits,
// which hold until the calling thread's next warp-wide instruction has completed.
const Deposit* exchange(
    const void* own, size_t bytes, const char* what, Ordering ordering, std::source_location at);
int lane();

// cp.async at its worst: the target is unset at once, and the bytes come when the thread waits for
// the group.
void async_copy(void* shared, const void* global, size_t bytes, size_t valid);
void async_commit();
void async_wait(int groups_left);

template <typename T>
T deposited(const Deposit* all, int from) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(Deposit));
  T value;
  std::memcpy(&value, all[from].bytes, sizeof value);
  return value;
}

}  // namespace keju::simt

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#ifndef __restrict__
#define __restrict__ __restrict
#endif

inline keju::simt::Index3 threadIdx, blockIdx, blockDim, gridDim;  // NOLINT: the language's names

struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

void __syncthreads(std::source_location at = std::source_location::current());

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu,
                       std::source_location at = std::source_location::current()) {
  if (mask != 0xFFFFFFFFu) keju::simt::fault("__syncwarp: a mask of less than a warp");
  const char none = 0;
  keju::simt::exchange(&none, 1, "__syncwarp", keju::simt::Ordering::kMemory, at);
}

template <typename T>
T __shfl_sync(unsigned mask,
              T value,
              int from,
              std::source_location at = std::source_location::current()) {
  if (mask != 0xFFFFFFFFu) keju::simt::fault("__shfl_sync: a mask of less than a warp");
  return keju::simt::deposited<T>(
      keju::simt::exchange(&value, sizeof value, "__shfl_sync", keju::simt::Ordering::kNone, at),
      from & 31);
}

template <typename T>
T __shfl_xor_sync(unsigned mask,
                  T value,
                  int with,
                  std::source_location at = std::source_location::current()) {
  if (mask != 0xFFFFFFFFu) keju::simt::fault("__shfl_xor_sync: a mask of less than a warp");
  return keju::simt::deposited<T>(
      keju::simt::exchange(
          &value, sizeof value, "__shfl_xor_sync", keju::simt::Ordering::kNone, at),
      (keju::simt::lane() ^ with) & 31);
}

inline unsigned __ballot_sync(unsigned mask,
                              int yes,
                              std::source_location at = std::source_location::current()) {
  if (mask != 0xFFFFFFFFu) keju::simt::fault("__ballot_sync: a mask of less than a warp");
  const keju::simt::Deposit* all =
      keju::simt::exchange(&yes, sizeof yes, "__ballot_sync", keju::simt::Ordering::kNone, at);
  unsigned votes = 0;
  for (int i = 0; i < keju::simt::kWarp; ++i) {
    if (keju::simt::deposited<int>(all, i) != 0) votes |= 1u << i;
  }
  return votes;
}

// Orders nothing but itself.
template <typename T>
T atomicAdd(T* to, T value) {
  return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

inline int __clz(int value) {
  return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value));
}
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __uint_as_float(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline uint32_t __float_as_uint(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
