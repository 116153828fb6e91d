// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "kernel_test.h"

// What every fast mode owes its plain loops, whatever its arithmetic.
namespace keju::kernel_test {

struct FastModes {
  Backend& plain;
  Backend& one;    // thread
  Backend& three;  // threads
};

// Products of `rows` rows each with every type, odd widths, biases and sums that go on. `prepare`
// may change the rows before they are used; `floats` are the depths for types without blocks.
template <typename Prepare>
void linear_equals_plain(const FastModes& modes,
                         const std::vector<int64_t>& row_counts,
                         const std::vector<int64_t>& floats,
                         const Prepare& prepare) {
  uint64_t stream = 0;
  for (const DTypeFacts& type : all_dtypes()) {
    size_t next = 0;
    std::vector<int64_t> depths = {32, 96, 320, 640, 1088};
    if (type.block_elems == 256) depths = {256, 512, 768, 1280};
    if (type.block_elems == 1) depths = floats;
    for (const int64_t rows : row_counts) {
      for (const int64_t n : {1, 16, 40, 67, 130}) {
        const int64_t k = depths[next++ % depths.size()];
        const Stored stored = random_matrix(type.type, n, k, ++stream);
        Array x = Array::random(rows, k, ++stream, 3);
        prepare(x);
        Draw draw(++stream);
        const std::vector<float> bias = draw.floats(n);
        const bool with_bias = draw.below(2) == 1;
        const bool accumulate = draw.below(2) == 1;
        const Array start = Array::random(rows, n, ++stream);
        const auto run = [&](Backend& b) {
          const auto w = b.make_matrix(stored.source());
          const auto own_bias = b.make_vector(bias);
          Array out = start;
          b.linear(x.rows(), *w, with_bias ? own_bias.get() : nullptr, accumulate, out.rows());
          EXPECT_TRUE(out.room_untouched());
          return out;
        };
        const Array want = run(modes.plain);
        for (Backend* b : {&modes.one, &modes.three}) {
          ASSERT_TRUE(same_bits(run(*b), want))
              << type.name << " rows " << rows << " n " << n << " k " << k;
        }
      }
    }
  }
}

// Feed-forward gates and ups in one product: the plain loops' product and then their glu.
inline void gates_equal_plain(Backend& plain, const std::vector<Backend*>& all) {
  uint64_t stream = 300;
  const std::vector<GluSpec> specs = {{.activation = Activation::kSilu},
                                      {.activation = Activation::kGeluTanh},
                                      {.activation = Activation::kGeluErf},
                                      {.activation = Activation::kRelu},
                                      {.activation = Activation::kRelu2},
                                      {.activation = Activation::kGeluQuick},
                                      {.clamp_limit = 2, .sigmoid_alpha = 1.702f}};
  size_t next = 0;
  for (const DTypeFacts& type : all_dtypes()) {
    for (const int64_t rows : {1, 4, 5, 13, 33, 100}) {
      const int64_t inner = std::vector<int64_t>{16, 24, 112}[next % 3];
      const int64_t k = type.block_elems == 256 ? 256 * (1 + static_cast<int64_t>(next % 3)) : 672;
      const GluSpec spec = specs[next++ % specs.size()];
      const Stored stored = random_matrix(type.type, 2 * inner, k, ++stream);
      Array x = Array::random(rows, k, ++stream, 3);
      Draw draw(++stream);
      const std::vector<float> bias = draw.floats(2 * inner);
      const bool with_bias = draw.below(4) == 1;
      const auto run = [&](Backend& b) {
        const auto w = b.make_matrix(stored.source());
        const auto own_bias = b.make_vector(bias);
        Array wide(rows, 2 * inner);
        Array out(rows, inner);
        const Vector* held = with_bias ? own_bias.get() : nullptr;
        b.linear_glu(x.rows(), *w, held, spec, wide.rows(), out.rows());
        EXPECT_TRUE(out.room_untouched());
        return out;
      };
      const Array want = run(plain);
      for (Backend* b : all) {
        ASSERT_TRUE(same_bits(run(*b), want))
            << type.name << " rows " << rows << " inner " << inner << " k " << k;
      }
    }
  }
}

inline void row_alone_equals_row_in_batch(Backend& b,
                                          int64_t most,
                                          const std::vector<int64_t>& counts) {
  for (const DType type : {DType::kQ4_1, DType::kQ6_K, DType::kBF16}) {
    const Stored stored = random_matrix(type, 50, 512, 5);
    Array x = Array::random(most, 512, 6);
    const auto w = b.make_matrix(stored.source());
    Array all(most, 50);
    b.linear(x.rows(), *w, nullptr, false, all.rows());
    for (const int64_t count : counts) {
      for (const int64_t first : {0, 11}) {
        Array some(most, 50);
        b.linear(x.rows(first, count), *w, nullptr, false, some.rows(first, count));
        for (int64_t t = first; t < first + count; ++t) {
          ASSERT_TRUE(same_bits(some.row(t), all.row(t))) << count << " rows from " << first;
        }
      }
    }
  }
}

inline void head_equals_plain(const FastModes& modes) {
  for (const DType type : {DType::kQ8_0, DType::kQ6_K, DType::kF16}) {
    for (const int64_t rows : {1, 5, 99}) {
      const Stored stored = random_matrix(type, 1100, 256, 70);
      Array x = Array::random(rows, 256, 71);
      std::vector<std::vector<int32_t>> wanted(static_cast<size_t>(rows), {0, 1099, 512});
      const auto run = [&](Backend& b) {
        const auto w = b.make_matrix(stored.source());
        return b.head(x.rows(), *w, {.softcap = 30, .top = 3}, wanted);
      };
      const std::vector<HeadRow> want = run(modes.plain);
      const std::vector<HeadRow> got = run(modes.three);
      for (size_t r = 0; r < want.size(); ++r) {
        ASSERT_EQ(got[r].log_sum_exp, want[r].log_sum_exp);
        ASSERT_EQ(got[r].wanted, want[r].wanted);
        ASSERT_EQ(got[r].top, want[r].top);
      }
    }
  }
}

// What is not a number in one place of one row spoils that row, and no other. `bad` are rows, each
// with what stands in it.
inline void not_finite_stays_in_its_row(Backend& b,
                                        int64_t rows,
                                        const std::vector<std::pair<int64_t, float>>& bad) {
  const Stored stored = random_matrix(DType::kQ5_0, 20, 96, 80);
  const auto w = b.make_matrix(stored.source());
  Array x = Array::random(rows, 96, 81);
  Array clean(rows, 20);
  b.linear(x.rows(), *w, nullptr, false, clean.rows());
  std::vector<bool> spoilt(static_cast<size_t>(rows));
  for (const auto& [row, value] : bad) {
    x.at(row, 40) = value;
    spoilt[static_cast<size_t>(row)] = true;
  }
  Array out(rows, 20);
  b.linear(x.rows(), *w, nullptr, false, out.rows());
  for (int64_t t = 0; t < rows; ++t) {
    if (spoilt[static_cast<size_t>(t)]) {
      for (int64_t n = 0; n < 20; ++n) EXPECT_TRUE(std::isnan(out.at(t, n)));
    } else {
      EXPECT_TRUE(same_bits(out.row(t), clean.row(t)));
    }
  }
}

}  // namespace keju::kernel_test
