// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

class HeadOps : public PerIsa {};

TEST_P(HeadOps, ReducesTheSameLogitsThatItReports) {
  uint64_t stream = 1;
  for (const int64_t vocab : {1, 15, 1023, 1024, 1025, 2500}) {
    const Stored stored = random_matrix(DType::kF32, vocab, 24, ++stream);
    const auto w = be().make_matrix(stored.source());
    Draw draw(++stream);
    const auto bias = be().make_vector(draw.floats(vocab));
    for (const bool capped : {false, true}) {
      const HeadSpec spec{.scale = capped ? 0.7f : 1.0f,
                          .softcap = capped ? 3.0f : 0.0f,
                          .bias = capped ? bias.get() : nullptr,
                          .top = 5};
      Array x = Array::random(3, 24, ++stream, 2);
      std::vector<float> logits(static_cast<size_t>(3 * vocab));
      be().logits(x.rows(), *w, spec, logits.data());
      const int32_t last = static_cast<int32_t>(vocab - 1);
      const std::vector<std::vector<int32_t>> wanted = {{last, 0, last / 2}, {}, {last}};
      const std::vector<HeadRow> rows = be().head(x.rows(), *w, spec, wanted);
      ASSERT_EQ(rows.size(), 3u);
      for (size_t r = 0; r < 3; ++r) {
        const float* own = logits.data() + r * static_cast<size_t>(vocab);
        double max = own[0];
        int32_t best = 0;
        for (int32_t v = 1; v < vocab; ++v) {
          if (own[v] > own[best]) best = v;
          max = std::max(max, static_cast<double>(own[v]));
        }
        double sum = 0;
        for (int64_t v = 0; v < vocab; ++v) sum += std::exp(static_cast<double>(own[v]) - max);
        EXPECT_TRUE(near(rows[r].log_sum_exp, max + std::log(sum), 1e-6)) << vocab;
        EXPECT_EQ(rows[r].best_id, best);
        EXPECT_EQ(rows[r].best_logit, own[best]);
        ASSERT_EQ(rows[r].wanted.size(), wanted[r].size());
        for (size_t i = 0; i < wanted[r].size(); ++i) {
          EXPECT_EQ(rows[r].wanted[i], own[wanted[r][i]]);
        }
        ASSERT_EQ(rows[r].top.size(), static_cast<size_t>(std::min<int64_t>(5, vocab)));
        EXPECT_EQ(rows[r].top[0].first, best);
        for (size_t i = 0; i < rows[r].top.size(); ++i) {
          EXPECT_EQ(rows[r].top[i].second, own[rows[r].top[i].first]);
          if (i == 0) continue;
          EXPECT_LE(rows[r].top[i].second, rows[r].top[i - 1].second);
        }
      }
    }
  }
}

TEST_P(HeadOps, LogitsFollowTheirFormula) {
  const Stored stored = random_matrix(DType::kF32, 40, 16, 50);
  const auto w = be().make_matrix(stored.source());
  Draw draw(51);
  const auto bias = be().make_vector(draw.floats(40));
  Array x = Array::random(2, 16, 52);
  std::vector<float> got(80);
  be().logits(x.rows(), *w, {.scale = 2, .softcap = 1.5f, .bias = bias.get()}, got.data());
  for (int64_t r = 0; r < 2; ++r) {
    for (int64_t v = 0; v < 40; ++v) {
      const std::vector<float> row = stored.expanded_row(v);
      double sum = bias->data[v];
      for (int64_t k = 0; k < 16; ++k) {
        sum += static_cast<double>(x.at(r, k)) * static_cast<double>(row[static_cast<size_t>(k)]);
      }
      EXPECT_TRUE(near(got[static_cast<size_t>(r * 40 + v)], 1.5 * std::tanh(2 * sum / 1.5), 1e-5));
    }
  }
}

TEST_P(HeadOps, EqualLogitsGoToTheLowestId) {
  // All rows of the matrix are the same, across more than one tile.
  Stored stored{DType::kF32, 2100, 4, {}};
  stored.bytes.resize(2100 * 16);
  const float row[4] = {1, 2, 3, 4};
  for (size_t v = 0; v < 2100; ++v) std::memcpy(stored.bytes.data() + v * 16, row, 16);
  const auto w = be().make_matrix(stored.source());
  Array x = Array::of({{1, 1, 1, 1}});
  const std::vector<HeadRow> rows = be().head(x.rows(), *w, {.top = 3}, {});
  EXPECT_EQ(rows[0].best_id, 0);
  EXPECT_EQ(rows[0].best_logit, 10);
  EXPECT_EQ(rows[0].top, (std::vector<std::pair<int32_t, float>>{{0, 10}, {1, 10}, {2, 10}}));
  EXPECT_TRUE(near(rows[0].log_sum_exp, 10 + std::log(2100.0), 1e-9));
}

TEST_P(HeadOps, ManyRowsEqualOneRow) {
  const Stored stored = random_matrix(DType::kQ8_0, 1500, 64, 60);
  const auto w = be().make_matrix(stored.source());
  Array x = Array::random(130, 64, 61);
  const std::vector<HeadRow> all = be().head(x.rows(), *w, {.top = 2}, {});
  for (const int64_t r : {0, 1, 95, 96, 129}) {
    const std::vector<HeadRow> one = be().head(x.rows(r, 1), *w, {.top = 2}, {});
    EXPECT_EQ(one[0].log_sum_exp, all[static_cast<size_t>(r)].log_sum_exp);
    EXPECT_EQ(one[0].best_id, all[static_cast<size_t>(r)].best_id);
    EXPECT_EQ(one[0].top, all[static_cast<size_t>(r)].top);
  }
}

KEJU_PER_ISA(HeadOps);

}  // namespace
}  // namespace keju::kernel_test
