// SPDX-License-Identifier: MIT
#include "bench/kernels.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"

namespace keju {
namespace {

struct Product {
  DType type;
  int64_t rows, n, k;
  bool few() const { return rows < 64; }
};

// 0x2C in every byte is a small normal number in every type, alone or as a scale.
struct Weights {
  std::vector<std::byte> bytes;
  MatrixSource source;
  explicit Weights(const Product& p)
      : bytes(static_cast<size_t>(p.n * row_bytes(p.type, p.k)), std::byte{0x2C}) {
    source.dtype = p.type;
    source.cols = p.k;
    source.pieces = {{bytes.data(), p.n, row_bytes(p.type, p.k)}};
  }
};

class Activations {
 public:
  Activations(Backend& backend, int64_t rows, int64_t width)
      : backend_(backend), memory_(backend.allocate(rows * (width + 16))) {
    view_ = {.data = memory_, .count = rows, .width = width, .stride = width + 16};
    const std::vector<float> ones(static_cast<size_t>(width), 1.0f);
    for (int64_t t = 0; t < rows; ++t) {
      backend.upload(ones.data(), width, view_.data + t * view_.stride);
    }
  }
  ~Activations() { backend_.release(memory_); }
  Activations(const Activations&) = delete;
  Activations& operator=(const Activations&) = delete;
  Rows view() const { return view_; }

 private:
  Backend& backend_;
  float* memory_;
  Rows view_;
};

// What one benchmark works on. Few rows read their weights once: copies then make sure that they
// come from memory.
class Case {
 public:
  Case(Backend& backend, const Product& p)
      : backend_(backend), weights_(p), x_(backend, p.rows, p.k), out_(backend, p.rows, p.n) {
    const int64_t copies = p.few() ? std::max<int64_t>(2, (int64_t{256} << 20) / bytes()) : 1;
    for (int64_t i = 0; i < copies; ++i) matrices_.push_back(backend.make_matrix(weights_.source));
  }
  void run() {
    backend_.linear(x_.view(), *matrices_[next_], nullptr, false, out_.view());
    next_ = (next_ + 1) % matrices_.size();
  }
  int64_t bytes() const { return static_cast<int64_t>(weights_.bytes.size()); }

 private:
  Backend& backend_;
  Weights weights_;
  Activations x_, out_;
  std::vector<std::unique_ptr<Matrix>> matrices_;
  size_t next_ = 0;
};

// Keeps the fastest repetition of every benchmark and prints nothing.
class BestOf : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const double seconds = run.real_accumulated_time / static_cast<double>(run.iterations);
      const auto [at, added] = seconds_.try_emplace(run.run_name.function_name, seconds);
      if (!added) at->second = std::min(at->second, seconds);
    }
  }
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  std::map<std::string, double> seconds_;
};

std::vector<Product> all_products() {
  std::vector<Product> products;
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_1, DType::kQ5_0}) {
    products.push_back({type, 512, 3072, 576});
    products.push_back({type, 512, 576, 1536});
  }
  for (const DType type : {DType::kQ4_K, DType::kQ6_K}) products.push_back({type, 512, 4096, 2048});
  for (const int64_t rows : {1, 16}) {
    for (const DType type : {DType::kF32,
                             DType::kBF16,
                             DType::kQ8_0,
                             DType::kQ4_1,
                             DType::kQ5_0,
                             DType::kQ4_K,
                             DType::kQ6_K}) {
      products.push_back({type, rows, 4096, 2048});
    }
  }
  return products;
}

std::string label(const Product& p) {
  return fmt::format("linear/{}/{}x{}x{}", name(p.type), p.rows, p.n, p.k);
}

Json row_of(const Product& p, double seconds, const KernelBounds& bounds) {
  const double gflops =
      2e-9 * static_cast<double>(p.rows) * static_cast<double>(p.n * p.k) / seconds;
  const double gbytes = 1e-9 * static_cast<double>(p.n * row_bytes(p.type, p.k)) / seconds;
  const double bound = p.few() ? bounds.read_gbytes : bounds.product_gflops;
  Json row{{"name", label(p)},
           {"op", "linear"},
           {"type", std::string(name(p.type))},
           {"rows", p.rows},
           {"n", p.n},
           {"k", p.k},
           {"gflops", gflops},
           {"gbytes", gbytes}};
  row["of_bound"] = bound > 0 ? Json((p.few() ? gbytes : gflops) / bound) : Json();
  return row;
}

}  // namespace

Json run_kernels(Backend& backend, const KernelBounds& bounds, const std::string& filter) {
  const std::vector<Product> products = all_products();
  std::unique_ptr<Case> current;  // of the benchmark that runs: its repetitions share it
  const Product* of = nullptr;
  const auto time = [&](benchmark::State& state, const Product& p) {
    if (of != &p) {
      current.reset();
      current = std::make_unique<Case>(backend, p);
      current->run();
      of = &p;
    }
    while (state.KeepRunning()) current->run();
  };
  for (const Product& p : products) {
    const auto body = [&time, &p](benchmark::State& state) { time(state, p); };
    benchmark::RegisterBenchmark(label(p).c_str(), body)
        ->UseRealTime()
        ->MinTime(0.03)
        ->Repetitions(5);
  }
  BestOf best;
  benchmark::RunSpecifiedBenchmarks(&best, filter.empty() ? "." : filter);
  benchmark::ClearRegisteredBenchmarks();
  Json rows = Json::array();
  for (const Product& p : products) {
    const auto at = best.seconds().find(label(p));
    if (at != best.seconds().end()) rows.push_back(row_of(p, at->second, bounds));
  }
  if (rows.empty()) {
    throw fail(Code::kUsage,
               "--filter: found no product that \"{}\" matches, need a regular expression of names "
               "such as {}",
               filter,
               label(products.front()));
  }
  return {{"bounds",
           {{"product_gflops", bounds.product_gflops},
            {"f32_gflops", bounds.f32_gflops},
            {"read_gbytes", bounds.read_gbytes}}},
          {"products", std::move(rows)}};
}

}  // namespace keju
