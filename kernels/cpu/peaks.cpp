// SPDX-License-Identifier: MIT
#include "kernels/cpu/peaks.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/thread_pool.h"
#include "kernels/cpu/memory.h"

namespace keju {
namespace {

// Best seconds of several runs of `job` on every thread at once. A run must last milliseconds, so
// that waking the threads does not count, and all of them long enough for the clock to settle.
double best_seconds(ThreadPool& pool, const std::function<void(int64_t)>& job) {
  double best = 1e30;
  for (int i = 0; i < 12; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    pool.run(pool.size(), job);
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

#if defined(__x86_64__)
constexpr int64_t kSteps = 1000000;

// Twelve independent sums, each used once a turn.
#define KEJU_TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)

void fma_512(int64_t) {
  for (int64_t i = 0; i < kSteps; ++i) {
#define KEJU_OP(n) asm volatile("vfmadd231ps %%zmm13, %%zmm14, %%zmm" #n ::: "xmm" #n);
    KEJU_TWELVE(KEJU_OP)
    KEJU_TWELVE(KEJU_OP)
#undef KEJU_OP
  }
  asm volatile("vzeroupper");
}

void fma_256(int64_t) {
  for (int64_t i = 0; i < kSteps; ++i) {
#define KEJU_OP(n) asm volatile("vfmadd231ps %%ymm13, %%ymm14, %%ymm" #n ::: "xmm" #n);
    KEJU_TWELVE(KEJU_OP)
    KEJU_TWELVE(KEJU_OP)
#undef KEJU_OP
  }
  asm volatile("vzeroupper");
}

void vnni_512(int64_t) {
  for (int64_t i = 0; i < kSteps; ++i) {
#define KEJU_OP(n) asm volatile("vpdpbusd %%zmm13, %%zmm14, %%zmm" #n ::: "xmm" #n);
    KEJU_TWELVE(KEJU_OP)
    KEJU_TWELVE(KEJU_OP)
#undef KEJU_OP
  }
  asm volatile("vzeroupper");
}
#undef KEJU_TWELVE

struct alignas(64) AllTiles {
  uint8_t palette = 1;
  uint8_t unused[15] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#define KEJU_TILES(name, op)                                                      \
  void name(int64_t) {                                                            \
    const AllTiles tiles;                                                         \
    asm volatile("ldtilecfg %0" ::"m"(tiles));                                    \
    for (int64_t i = 0; i < kSteps / 4; ++i) {                                    \
      asm volatile(op " %tmm6, %tmm4, %tmm0\n\t" op " %tmm7, %tmm4, %tmm1\n\t" op \
                      " %tmm6, %tmm5, %tmm2\n\t" op " %tmm7, %tmm5, %tmm3");      \
    }                                                                             \
    asm volatile("tilerelease");                                                  \
  }
KEJU_TILES(tiles_bf16, "tdpbf16ps")
KEJU_TILES(tiles_int8, "tdpbssd")
#undef KEJU_TILES
#endif

// More than the caches hold, as far as memory goes: twice the last level, but no more than half of
// what is free.
int64_t beyond_caches() {
  const int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or less where the system does not say
  const int64_t free_bytes = int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  constexpr int64_t kLeast = int64_t{256} << 20;
  return std::max(kLeast, std::min(2 * cache, free_bytes / 2)) / 4096 * 4096;
}

double read_gbytes(ThreadPool& pool) {
  const int64_t bytes = beyond_caches();
  const Buffer memory(bytes);
  auto* const words = reinterpret_cast<uint64_t*>(memory.data());
  const int64_t each = bytes / static_cast<int64_t>(sizeof(uint64_t)) / pool.size();
  pool.run(pool.size(), [&](int64_t i) { std::fill_n(words + i * each, each, 1); });
  const double seconds = best_seconds(pool, [&](int64_t i) {
    // Four streams at once, a word of every cache line.
    const volatile uint64_t* at = words + i * each;
    const int64_t quarter = each / 32 * 8;
    uint64_t sum = 0;
    for (int64_t w = 0; w < quarter; w += 8) {
      sum += at[w] + at[quarter + w] + at[2 * quarter + w] + at[3 * quarter + w];
    }
    volatile uint64_t sink = sum;
    (void)sink;
  });
  return static_cast<double>(bytes) / seconds * 1e-9;
}

}  // namespace

CpuPeaks measure_cpu_peaks(const std::string& isa, int threads) {
  CpuPeaks peaks;
  ThreadPool pool(threads);
#if defined(__x86_64__)
  const auto rate = [&](void (*loop)(int64_t), int64_t steps, int64_t operations) {
    const double all = static_cast<double>(steps * operations * threads);
    return all / best_seconds(pool, loop) * 1e-9;
  };
  const bool wide = isa.starts_with("avx512");
  if (wide) peaks.f32_gflops = rate(fma_512, kSteps, 24 * 16 * 2);
  if (isa == "avx2") peaks.f32_gflops = rate(fma_256, kSteps, 24 * 8 * 2);
  if (wide && isa != "avx512") peaks.int8_gops = rate(vnni_512, kSteps, 24 * 64 * 2);
  if (isa == "avx512_amx") {
    peaks.bf16_gflops = rate(tiles_bf16, kSteps / 4, 4 * 16 * 16 * 32 * 2);
    peaks.int8_tile_gops = rate(tiles_int8, kSteps / 4, 4 * 16 * 16 * 64 * 2);
  }
#endif
  peaks.read_gbytes = read_gbytes(pool);
  return peaks;
}

}  // namespace keju
