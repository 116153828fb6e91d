// SPDX-License-Identifier: MIT
#include "bench/kernels.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"

namespace keju {
namespace {

double seconds_of(const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Best of at least five calls and a tenth of a second.
double best_seconds(const std::function<void()>& call) {
  call();
  double best = 1e30;
  double total = 0;
  for (int i = 0; i < 5 || total < 0.1; ++i) {
    const double taken = seconds_of(call);
    best = std::min(best, taken);
    total += taken;
  }
  return best;
}

struct Product {
  DType type;
  int64_t rows, n, k;
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

Json measure(Backend& backend, const KernelBounds& bounds, const Product& p) {
  const bool few = p.rows < 64;
  const Weights weights(p);
  const auto bytes = static_cast<int64_t>(weights.bytes.size());
  const int64_t copies = few ? std::max<int64_t>(2, (int64_t{256} << 20) / bytes) : 1;
  std::vector<std::unique_ptr<Matrix>> matrices;
  for (int64_t i = 0; i < copies; ++i) matrices.push_back(backend.make_matrix(weights.source));
  const Activations x(backend, p.rows, p.k);
  const Activations out(backend, p.rows, p.n);
  const double seconds = best_seconds([&] {
    for (const auto& m : matrices) backend.linear(x.view(), *m, nullptr, false, out.view());
  });
  const auto work = static_cast<double>(copies);
  const double gflops =
      2e-9 * work * static_cast<double>(p.rows) * static_cast<double>(p.n * p.k) / seconds;
  const double gbytes = 1e-9 * work * static_cast<double>(bytes) / seconds;
  const double bound = few ? bounds.read_gbytes : bounds.product_gflops;
  Json row{{"op", "linear"},
           {"type", std::string(name(p.type))},
           {"rows", p.rows},
           {"n", p.n},
           {"k", p.k},
           {"gflops", gflops},
           {"gbytes", gbytes}};
  row["of_bound"] = bound > 0 ? Json((few ? gbytes : gflops) / bound) : Json();
  return row;
}

}  // namespace

Json run_kernels(Backend& backend, const KernelBounds& bounds) {
  Json products = Json::array();
  for (const DType type : {DType::kF32, DType::kBF16, DType::kQ8_0, DType::kQ4_1, DType::kQ5_0}) {
    products.push_back(measure(backend, bounds, {type, 512, 3072, 576}));
    products.push_back(measure(backend, bounds, {type, 512, 576, 1536}));
  }
  for (const DType type : {DType::kQ4_K, DType::kQ6_K}) {
    products.push_back(measure(backend, bounds, {type, 512, 4096, 2048}));
  }
  for (const int64_t rows : {1, 16}) {
    for (const DType type : {DType::kF32,
                             DType::kBF16,
                             DType::kQ8_0,
                             DType::kQ4_1,
                             DType::kQ5_0,
                             DType::kQ4_K,
                             DType::kQ6_K}) {
      products.push_back(measure(backend, bounds, {type, rows, 4096, 2048}));
    }
  }
  return {{"bounds",
           {{"product_gflops", bounds.product_gflops},
            {"f32_gflops", bounds.f32_gflops},
            {"read_gbytes", bounds.read_gbytes}}},
          {"products", std::move(products)}};
}

}  // namespace keju
