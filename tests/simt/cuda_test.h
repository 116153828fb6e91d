// SPDX-License-Identifier: MIT
#pragma once

#include <keju_simt.h>

#include "kernels/cuda/backend.h"
#include "tests/kernels/attention_case.h"
#include "tests/simt/fake_runtime.h"

// The CUDA backend on the interpreter, for tests that compare it with the plain CPU loops. Device
// memory is host memory here, so that a test may hand its own arrays over and look into results.
namespace keju::cuda {

using kernel_test::Array;
using kernel_test::Draw;
using kernel_test::kv_shape;
using kernel_test::near;
using kernel_test::random_matrix;
using kernel_test::same_bits;
using kernel_test::Stored;

struct Card {
  explicit Card(bool exact, FakeRuntime::Settings settings = {}, bool graphs = true)
      : record(std::make_shared<FakeRuntime::Record>()),
        backend(std::make_unique<CudaBackend>(
            std::make_unique<FakeRuntime>(std::move(settings), record), exact, graphs)) {}
  CudaBackend& be() { return *backend; }

  std::shared_ptr<FakeRuntime::Record> record;
  std::unique_ptr<CudaBackend> backend;
};

// Tests that run once per order of threads: a missing barrier shows in one of them.
class OnCard : public testing::TestWithParam<simt::Order> {
 protected:
  void SetUp() override { simt::set_order(GetParam(), 11); }
  void TearDown() override { simt::set_order(simt::Order::kAscending); }
  Backend& cuda() { return exact_.be(); }
  Backend& plain() { return *plain_; }

 private:
  Card exact_{true};
  std::unique_ptr<Backend> plain_ = kernel_test::backend("plain", 1);
};

inline std::string order_name(const testing::TestParamInfo<simt::Order>& info) {
  if (info.param == simt::Order::kAscending) return "Ascending";
  return info.param == simt::Order::kDescending ? "Descending" : "Shuffled";
}
inline auto every_order() {
  return testing::Values(simt::Order::kAscending, simt::Order::kDescending, simt::Order::kShuffled);
}
#define KEJU_ON_CARD(fixture) INSTANTIATE_TEST_SUITE_P(Simt, fixture, every_order(), order_name)

// ThreadSanitizer makes a launch fifty times as slow, and an unordered access depends on the shapes
// and not on each option: there every few cases of a long list are enough.
#if defined(KEJU_SIMT_TSAN)
inline constexpr bool kFewCases = true;
#else
inline constexpr bool kFewCases = false;
#endif

// Largest difference over max(1, |want|); infinite for a NaN.
inline testing::AssertionResult all_near(const Array& got, const Array& want, double tolerance) {
  for (int64_t t = 0; t < want.count(); ++t) {
    for (int64_t d = 0; d < want.width(); ++d) {
      const auto one = near(got.at(t, d), want.at(t, d), tolerance);
      if (!one)
        return testing::AssertionFailure()
               << "row " << t << " column " << d << ": " << one.message();
    }
  }
  if (!got.room_untouched()) return testing::AssertionFailure() << "wrote past a row's end";
  return testing::AssertionSuccess();
}

}  // namespace keju::cuda
