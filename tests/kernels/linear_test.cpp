// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

class LinearOps : public PerIsa {};

Stored stored_f32(int64_t rows, int64_t cols, const std::vector<float>& values) {
  Stored m{DType::kF32, rows, cols, {}};
  m.bytes.resize(values.size() * 4);
  std::memcpy(m.bytes.data(), values.data(), m.bytes.size());
  return m;
}

TEST_P(LinearOps, TinyByHand) {
  const Stored stored = stored_f32(3, 2, {1, 2, 3, 4, 5, 6});
  const auto w = be().make_matrix(stored.source());
  const auto bias = be().make_vector(std::vector<float>{10, 20, 30});
  Array x = Array::of({{1, 1}, {2, -1}});
  Array out(2, 3);
  be().linear(x.rows(), *w, nullptr, false, out.rows());
  EXPECT_EQ(out.row(0), (std::vector<float>{3, 7, 11}));
  EXPECT_EQ(out.row(1), (std::vector<float>{0, 2, 4}));
  be().linear(x.rows(), *w, bias.get(), false, out.rows());
  EXPECT_EQ(out.row(0), (std::vector<float>{13, 27, 41}));
  be().linear(x.rows(), *w, nullptr, true, out.rows());
  EXPECT_EQ(out.row(0), (std::vector<float>{16, 34, 52}));
  be().linear(x.rows(), *w, bias.get(), true, out.rows());
  EXPECT_EQ(out.row(0), (std::vector<float>{29, 61, 93}));
  EXPECT_TRUE(out.room_untouched());
}

// The definition, with the standard library's fma: not one bit of freedom is left.
TEST_P(LinearOps, IsOneAscendingFusedSumForEveryStoredType) {
  uint64_t stream = 100;
  for (const DTypeFacts& type : all_dtypes()) {
    const int64_t cols = type.block_elems == 256 ? 512 : type.block_elems == 32 ? 96 : 45;
    const Stored stored = random_matrix(type.type, 37, cols, ++stream);
    const auto w = be().make_matrix(stored.source());
    EXPECT_EQ(w->rows, 37);
    EXPECT_EQ(w->cols, cols);
    EXPECT_EQ(w->dtype, type.type);
    Array x = Array::random(5, cols, ++stream);
    Array out(5, 37);
    be().linear(x.rows(), *w, nullptr, false, out.rows());
    for (int64_t n = 0; n < 37; ++n) {
      const std::vector<float> row = stored.expanded_row(n);
      for (int64_t t = 0; t < 5; ++t) {
        float want = 0;
        for (int64_t k = 0; k < cols; ++k) {
          want = std::fma(x.at(t, k), row[static_cast<size_t>(k)], want);
        }
        ASSERT_TRUE(same_bits(out.at(t, n), want)) << type.name << " row " << n;
      }
    }
    EXPECT_TRUE(out.room_untouched());
  }
}

TEST_P(LinearOps, AgreesWithDouble) {
  const Stored stored = random_matrix(DType::kF32, 33, 700, 7);
  const auto w = be().make_matrix(stored.source());
  Array x = Array::random(4, 700, 8);
  Array out(4, 33);
  be().linear(x.rows(), *w, nullptr, false, out.rows());
  for (int64_t n = 0; n < 33; ++n) {
    const std::vector<float> row = stored.expanded_row(n);
    for (int64_t t = 0; t < 4; ++t) {
      double want = 0;
      for (int64_t k = 0; k < 700; ++k) {
        want += static_cast<double>(x.at(t, k)) * static_cast<double>(row[static_cast<size_t>(k)]);
      }
      EXPECT_TRUE(near(out.at(t, n), want, 1e-4));
    }
  }
}

TEST_P(LinearOps, PiecesAreTakenInOrder) {
  const Stored stored = random_matrix(DType::kQ8_0, 12, 64, 9);
  const int64_t bytes = row_bytes(DType::kQ8_0, 64);
  // Every other row of the first ten, then the last two.
  MatrixSource source{DType::kQ8_0, 64, {}};
  source.pieces.push_back({stored.bytes.data(), 5, 2 * bytes});
  source.pieces.push_back({stored.bytes.data() + 10 * bytes, 2, bytes});
  ASSERT_EQ(source.rows(), 7);
  const auto pieced = be().make_matrix(source);
  const auto whole = be().make_matrix(stored.source());
  Array x = Array::random(2, 64, 10);
  Array a(2, 7);
  Array b(2, 12);
  be().linear(x.rows(), *pieced, nullptr, false, a.rows());
  be().linear(x.rows(), *whole, nullptr, false, b.rows());
  const int64_t from[] = {0, 2, 4, 6, 8, 10, 11};
  for (int64_t n = 0; n < 7; ++n) EXPECT_TRUE(same_bits(a.at(1, n), b.at(1, from[n])));
}

TEST_P(LinearOps, EmbedScalesTheExpandedRow) {
  uint64_t stream = 300;
  for (const DTypeFacts& type : all_dtypes()) {
    const int64_t cols = type.block_elems == 1 ? 45 : 256;
    const Stored stored = random_matrix(type.type, 21, cols, ++stream);
    const auto table = be().make_matrix(stored.source());
    Array out(3, cols);
    const std::vector<int32_t> ids = {20, 0, 16};
    be().embed(*table, ids, 1.5f, out.rows());
    for (int64_t t = 0; t < 3; ++t) {
      std::vector<float> want = stored.expanded_row(ids[static_cast<size_t>(t)]);
      for (float& v : want) v = 1.5f * v;
      EXPECT_TRUE(same_bits(out.row(t), want)) << type.name;
    }
    EXPECT_TRUE(out.room_untouched());
    Array sum = Array::random(3, cols, 5);
    Array want = sum;
    be().add_rows(*table, ids, sum.rows());
    for (int64_t t = 0; t < 3; ++t) {
      const std::vector<float> row = stored.expanded_row(ids[static_cast<size_t>(t)]);
      for (int64_t d = 0; d < cols; ++d) {
        want.at(t, d) = want.at(t, d) + row[static_cast<size_t>(d)];
      }
    }
    EXPECT_TRUE(same_bits(sum, want)) << type.name;
  }
}

TEST_P(LinearOps, NoRowsIsNoWork) {
  const Stored stored = random_matrix(DType::kQ4_0, 16, 32, 1);
  const auto w = be().make_matrix(stored.source());
  Array none(0, 32);
  Array out(0, 16);
  be().linear(none.rows(), *w, nullptr, false, out.rows());
  EXPECT_TRUE(be().head(none.rows(), *w, {}, {}).empty());
}

KEJU_PER_ISA(LinearOps);

}  // namespace
}  // namespace keju::kernel_test
