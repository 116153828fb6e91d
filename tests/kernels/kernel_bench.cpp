// SPDX-License-Identifier: MIT
// keju_kernel_bench [isa [threads [table [exact|fast]]]]: what the kernels reach of what this
// machine can do.
//
// The bounds are measured, not looked up: a loop of independent fused multiply-adds, and a sum over
// more memory than the caches hold. With one thread, times are processor time, so that other work
// on the machine disturbs less; every figure is the best of several runs.
#include <fmt/format.h>
#include <immintrin.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

#include "base/thread_pool.h"
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

double now(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Setting {
  std::string isa;
  int threads;
  bool fast;
  clockid_t clock() const { return threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC; }
};

// Best seconds per call; calls are repeated to some milliseconds, since a preempted one is lost.
double best_seconds(const Setting& setting, const std::function<void()>& call, int rounds = 15) {
  call();
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const double begin = now(setting.clock());
    int calls = 0;
    double taken = 0;
    do {
      call();
      ++calls;
      taken = now(setting.clock()) - begin;
    } while (taken < 0.004);
    best = std::min(best, taken / calls);
  }
  return best;
}

std::atomic<float> sink{0};

__attribute__((target("avx512f"))) void fma_512(int64_t steps) {
  __m512 sum[24];
  for (auto& s : sum) s = _mm512_set1_ps(1.0f);
  const __m512 a = _mm512_set1_ps(0.999999f);
  const __m512 b = _mm512_set1_ps(1e-7f);
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 24
    for (auto& s : sum) s = _mm512_fmadd_ps(s, a, b);
  }
  for (const auto& s : sum) sink.store(sink.load() + _mm512_cvtss_f32(s));
}

__attribute__((target("avx2,fma"))) void fma_256(int64_t steps) {
  __m256 sum[12];
  for (auto& s : sum) s = _mm256_set1_ps(1.0f);
  const __m256 a = _mm256_set1_ps(0.999999f);
  const __m256 b = _mm256_set1_ps(1e-7f);
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (auto& s : sum) s = _mm256_fmadd_ps(s, a, b);
  }
  for (const auto& s : sum) sink.store(sink.load() + _mm256_cvtss_f32(s));
}

__attribute__((target("avx512f,avx512vnni"))) void vnni(int64_t steps) {
  __m512i sum[24];
  for (auto& s : sum) s = _mm512_set1_epi32(1);
  const __m512i a = _mm512_set1_epi32(0x01020304);
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 24
    for (auto& s : sum) asm volatile("vpdpbusd %1, %1, %0" : "+v"(s) : "v"(a));
  }
  for (const auto& s : sum) sink.store(sink.load() + static_cast<float>(_mm512_cvtsi512_si32(s)));
}

double vnni_peak(const Setting& setting) {
  constexpr int64_t kSteps = 200000;
  ThreadPool pool(setting.threads);
  const double seconds =
      best_seconds(setting, [&] { pool.run(setting.threads, [&](int64_t) { vnni(kSteps); }); });
  return kSteps * 24 * 64 * 2.0 * setting.threads / seconds * 1e-9;
}

// The bound of a product in this mode, in G operations a second.
double fma_peak(const Setting& setting) {
  if (setting.fast) return vnni_peak(setting);
  constexpr int64_t kSteps = 200000;
  const bool wide = setting.isa != "avx2";
  ThreadPool pool(setting.threads);
  const double seconds = best_seconds(setting, [&] {
    pool.run(setting.threads, [&](int64_t) { wide ? fma_512(kSteps) : fma_256(kSteps); });
  });
  const double flops = kSteps * (wide ? 24 * 16 : 12 * 8) * 2.0;
  return flops * setting.threads / seconds * 1e-9;
}

// Four streams at once, each a quarter of the piece.
__attribute__((target("avx2"))) void read_all(const std::byte* p, int64_t bytes) {
  __m256i sum[4] = {};
  const __m256i* v = reinterpret_cast<const __m256i*>(p);
  const int64_t quarter = bytes / 128;
  for (int64_t i = 0; i < quarter; i += 2) {
#pragma GCC unroll 4
    for (int64_t s = 0; s < 4; ++s) {
      _mm_prefetch(reinterpret_cast<const char*>(v + s * quarter + i + 64), _MM_HINT_T0);
      sum[s] = _mm256_xor_si256(sum[s], _mm256_load_si256(v + s * quarter + i));
      sum[s] = _mm256_xor_si256(sum[s], _mm256_load_si256(v + s * quarter + i + 1));
    }
  }
  const __m256i x =
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  sink.store(sink.load() + static_cast<float>(_mm256_extract_epi32(x, 0) & 1));
}

double read_bandwidth(const Setting& setting, int64_t bytes) {
  constexpr int64_t kPiece = 1 << 20;
  std::byte* memory =
      static_cast<std::byte*>(std::aligned_alloc(1 << 21, static_cast<size_t>(bytes)));
  madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  std::memset(memory, 1, static_cast<size_t>(bytes));
  ThreadPool pool(setting.threads);
  const double seconds = best_seconds(setting, [&] {
    pool.run(bytes / kPiece, [&](int64_t i) { read_all(memory + i * kPiece, kPiece); });
  });
  std::free(memory);
  return static_cast<double>(bytes) / seconds * 1e-9;
}

struct Shape {
  const char* what;
  int64_t n;
  int64_t k;
};

void gemm_table(Backend& b, const Setting& setting, double peak) {
  fmt::print("\nprefill: linear, 512 rows, GFLOP/s (of the bound)\n");
  const Shape shapes[] = {{"SmolLM2 gate_up", 3072, 576},
                          {"SmolLM2 down", 576, 1536},
                          {"SmolLM2 qkv", 960, 576},
                          {"Gemma3 gate_up", 4096, 640},
                          {"Gemma3 down", 640, 2048},
                          {"8B o", 4096, 4096}};
  for (const Shape& s : shapes) {
    peak = fma_peak(setting);  // the clock wanders: measure the bound beside what is measured
    fmt::print("  {:<16} {:>5}x{:<5} {:.0f}", s.what, s.n, s.k, peak);
    for (const DType type :
         {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_1, DType::kQ5_0, DType::kQ4_K}) {
      if (s.k % facts(type).block_elems != 0) {
        fmt::print("  {} -", name(type));
        continue;
      }
      const auto w = b.make_matrix(random_matrix(type, s.n, s.k, 1).source());
      Array x = Array::random(512, s.k, 2);
      Array out(512, s.n, 0);
      const double seconds = best_seconds(
          setting, [&] { b.linear(x.rows(), *w, nullptr, false, out.rows()); }, 7);
      const double gflops = 2.0 * 512 * static_cast<double>(s.n * s.k) / seconds * 1e-9;
      fmt::print("  {} {:.0f} ({:.0f}%)", name(type), gflops, 100 * gflops / peak);
    }
    fmt::print("\n");
  }
}

void rows_table(Backend& b, const Setting& setting, double peak) {
  fmt::print("\nrows: linear 3072x576, GFLOP/s (of the bound) by number of rows\n");
  for (const DType type : {DType::kF32, DType::kQ8_0, DType::kQ4_1}) {
    peak = fma_peak(setting);
    fmt::print("  {:<5}", name(type));
    const auto w = b.make_matrix(random_matrix(type, 3072, 576, 1).source());
    for (const int64_t rows : {1, 2, 3, 4, 5, 6, 8, 12, 16, 32, 64, 128, 512, 2048}) {
      Array x = Array::random(rows, 576, 2);
      Array out(rows, 3072, 0);
      const double seconds = best_seconds(
          setting, [&] { b.linear(x.rows(), *w, nullptr, false, out.rows()); }, 7);
      const double gflops = 2.0 * static_cast<double>(rows * 3072 * 576) / seconds * 1e-9;
      fmt::print("  {}: {:.0f} ({:.0f}%)", rows, gflops, 100 * gflops / peak);
    }
    fmt::print("\n");
  }
}

// Many matrices in turn, so that none is found in a cache.
void gemv_table(Backend& b, const Setting& setting, double bandwidth) {
  fmt::print("\ndecode: linear, one row, weights from memory, GB/s (of the read bandwidth)\n");
  for (const DTypeFacts& type : all_dtypes()) {
    const Shape s{"", 4096, 2048};
    const int64_t bytes = s.n * row_bytes(type.type, s.k);
    const int64_t count = std::max<int64_t>(2, (int64_t{640} << 20) / bytes);
    std::vector<std::unique_ptr<Matrix>> all;
    const Stored stored = random_matrix(type.type, s.n, s.k, 3);
    int64_t resident = 0;
    for (int64_t i = 0; i < count; ++i) {
      all.push_back(b.make_matrix(stored.source()));
      resident += all.back()->resident_bytes;
    }
    Array x = Array::random(1, s.k, 4);
    Array out(1, s.n, 0);
    const double seconds = best_seconds(
        setting,
        [&] {
          for (const auto& w : all) b.linear(x.rows(), *w, nullptr, false, out.rows());
        },
        5);
    const double rate = static_cast<double>(count * bytes) / seconds * 1e-9;
    fmt::print("  {:<7} {:6.2f} ({:.0f}%)   resident {:.3f} of the file's bytes\n",
               type.name,
               rate,
               100 * rate / bandwidth,
               static_cast<double>(resident) / static_cast<double>(count * bytes));
  }
}

void head_table(Backend& b, const Setting& setting, double peak, double bandwidth) {
  fmt::print("\nhead: log-sum-exp over 65,536 columns of 640, Q8_0\n");
  const Stored stored = random_matrix(DType::kQ8_0, 65536, 640, 5);
  const auto w = b.make_matrix(stored.source());
  for (const int64_t rows : {1, 8, 64, 96}) {
    Array x = Array::random(rows, 640, 6, 0.1f);
    const double seconds = best_seconds(
        setting, [&] { b.head(x.rows(), *w, {}, {}); }, 3);
    const double gflops = 2.0 * static_cast<double>(rows * 65536 * 640) / seconds * 1e-9;
    const double rate = static_cast<double>(w->resident_bytes) / seconds * 1e-9;
    fmt::print("  rows {:>3}: {:.0f} GFLOP/s ({:.0f}%), {:.1f} GB/s ({:.0f}%)\n",
               rows,
               gflops,
               100 * gflops / peak,
               rate,
               100 * rate / bandwidth);
  }
}

void attention_table(Backend& b, const Setting& setting, double peak) {
  fmt::print("\nattention, GFLOP/s of the products alone (of the bound)\n");
  struct Case {
    const char* what;
    int64_t heads, kv_heads, size, rows, positions;
  };
  const Case cases[] = {{"SmolLM2 prefill 512", 9, 3, 64, 512, 512},
                        {"Gemma3 prefill 512", 4, 1, 256, 512, 512},
                        {"8B prefill 2048", 8, 2, 128, 256, 2048},
                        {"SmolLM2 decode at 1000", 9, 3, 64, 1, 1000},
                        {"Gemma3 decode at 1000", 4, 1, 256, 1, 1000}};
  for (const Case& c : cases) {
    auto kv = b.make_kv_pages(kv_shape(c.kv_heads, c.size, c.size), c.positions / 64 + 1);
    std::vector<int32_t> pages;
    for (int32_t p = 0; p <= c.positions / 64; ++p) pages.push_back(p);
    Array q = Array::random(c.positions, c.heads * c.size, 1);
    Array k = Array::random(c.positions, c.kv_heads * c.size, 2);
    Array v = Array::random(c.positions, c.kv_heads * c.size, 3);
    Array out(c.positions, c.heads * c.size);
    const auto segment = [&](int64_t first, int64_t rows) {
      return std::vector<Segment>{{static_cast<int32_t>(first),
                                   static_cast<int32_t>(rows),
                                   static_cast<int32_t>(first),
                                   pages.data(),
                                   false}};
    };
    const auto all = segment(0, c.positions);
    const double fill = best_seconds(setting, [&] {
      b.qkv_post(q.heads(c.heads), k.heads(c.kv_heads), {}, v.heads(c.kv_heads), {}, all, 0, *kv);
    });
    const auto last = segment(c.positions - c.rows, c.rows);
    const double seconds = best_seconds(
        setting, [&] { b.attention(q.heads(c.heads), *kv, {.scale = 0.1f}, last, out.rows()); });
    double pairs = 0;
    for (int64_t t = c.positions - c.rows; t < c.positions; ++t)
      pairs += static_cast<double>(t + 1);
    const double gflops = 4.0 * pairs * static_cast<double>(c.heads * c.size) / seconds * 1e-9;
    fmt::print("  {:<24} {:7.1f} us, {:.0f} ({:.0f}%); qkv_post of all rows {:.1f} us\n",
               c.what,
               seconds * 1e6,
               gflops,
               100 * gflops / peak,
               fill * 1e6);
  }
}

void small_ops_table(Backend& b, const Setting& setting) {
  fmt::print("\nother ops, 512 rows of 1,536, ns per element\n");
  Array x = Array::random(512, 3072, 1, 3);
  Array y(512, 1536);
  const auto w = b.make_vector(std::vector<float>(1536, 1.0f));
  const double elements = 512 * 1536;
  const auto line = [&](const char* what, const std::function<void()>& call) {
    fmt::print("  {:<10} {:.3f}\n", what, best_seconds(setting, call, 7) / elements * 1e9);
  };
  line("glu silu", [&] { b.glu(x.rows(), {}, y.rows()); });
  line("glu tanh", [&] { b.glu(x.rows(), {.activation = Activation::kGeluTanh}, y.rows()); });
  line("rms norm", [&] { b.norm(y.rows(), {.weight = w.get()}, y.rows()); });
  line("add", [&] { b.add(y.rows(), y.rows(), 0.5f); });
  const auto table = b.make_matrix(random_matrix(DType::kQ8_0, 4096, 1536, 7).source());
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 512; ++i) ids.push_back(i * 7);
  line("embed", [&] { b.embed(*table, ids, 1, y.rows()); });
}

int bench(int argc, char** argv) {
  Setting setting{argc > 1 ? argv[1] : cpu_isa_levels().back(),
                  argc > 2 ? std::atoi(argv[2]) : 1,
                  argc > 4 && std::string_view(argv[4]) == "fast"};
  CpuOptions options;
  options.isa = setting.isa;
  options.threads = setting.threads;
  if (setting.fast) options.mode = NumericMode::kFast;
  const auto b = make_cpu_backend(options);
  const BackendFacts about = b->facts();
  const double peak = fma_peak(setting);
  const double bandwidth = read_bandwidth(setting, int64_t{768} << 20);
  fmt::print("{}, {}, {} thread(s): {:.1f} GOP/s of {}, {:.1f} GB/s of reads\n",
             about.device,
             about.isa,
             about.threads,
             peak,
             setting.fast ? "VNNI" : "FMA",
             bandwidth);
  const std::string only = argc > 3 ? argv[3] : "";
  const auto asked = [&](const char* table) { return only.empty() || only == table; };
  if (asked("gemm")) gemm_table(*b, setting, peak);
  if (asked("rows")) rows_table(*b, setting, peak);
  if (asked("gemv")) gemv_table(*b, setting, bandwidth);
  if (asked("head")) head_table(*b, setting, peak, bandwidth);
  if (asked("attention")) attention_table(*b, setting, peak);
  if (asked("small")) small_ops_table(*b, setting);
  return 0;
}

}  // namespace
}  // namespace keju::kernel_test

int main(int argc, char** argv) { return keju::kernel_test::bench(argc, argv); }
