// SPDX-License-Identifier: MIT
// Decode attention of rows whose paths share a prefix: which work items they make, and that a row's
// bits are those it has alone.
#include <algorithm>
#include <map>
#include <numeric>

#include "kernels/cuda/split_items.h"
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

// Rows given by their position and their pages, as a step's tables have them.
struct StepRows {
  std::vector<RowPlace> rows;
  std::vector<int32_t> page_ids;

  void add(int32_t position, const std::vector<int32_t>& pages) {
    rows.push_back(
        {static_cast<int32_t>(rows.size()), position, static_cast<int32_t>(page_ids.size())});
    page_ids.insert(page_ids.end(), pages.begin(), pages.begin() + position / kPage + 1);
  }
};

std::vector<int32_t> counted(int32_t first, int32_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

// The rows of each item, by split.
std::vector<std::pair<int, std::vector<int>>> listed(const std::vector<SplitItem>& items) {
  std::vector<std::pair<int, std::vector<int>>> all;
  for (const SplitItem& item : items)
    all.emplace_back(item.split, std::vector<int>(item.row, item.row + item.rows));
  return all;
}

TEST(SplitItems, RowsThatShareAllPagesOfASplitShareItsItem) {
  StepRows step;
  std::vector<int32_t> other = counted(0, 24);
  other[9] = 100;
  step.add(1100, counted(0, 24));
  step.add(1023, counted(0, 24));  // sees all of split 1, nothing of split 2
  step.add(1022, counted(0, 24));  // does not see the end of split 1
  step.add(1300, other);           // one page of split 1 is its own
  EXPECT_THAT(listed(make_split_items(step.rows, step.page_ids, 16)),
              testing::UnorderedElementsAre(testing::Pair(0, std::vector{0, 1, 2, 3}),
                                            testing::Pair(1, std::vector{0, 1}),
                                            testing::Pair(1, std::vector{2}),
                                            testing::Pair(1, std::vector{3}),
                                            testing::Pair(2, std::vector{0}),
                                            testing::Pair(2, std::vector{3})));
}

TEST(SplitItems, HoldEveryRowAndSplitOnceAndNoMoreRowsThanFit) {
  kernel_test::Draw draw(3);
  for (const int most : {1, 2, 5, 16}) {
    StepRows step;
    for (int i = 0; i < 40; ++i) {
      std::vector<int32_t> pages = counted(0, 40);
      const auto own = static_cast<size_t>(draw.below(40));  // where its path branches off
      for (size_t p = own; p < pages.size(); ++p) pages[p] = 1000 * (i % 3 + 1) + pages[p];
      step.add(static_cast<int32_t>(draw.below(40 * kPage)), pages);
    }
    std::map<std::pair<int, int>, int> seen;
    size_t shared = 0;
    for (const auto& [split, rows] : listed(make_split_items(step.rows, step.page_ids, most))) {
      ASSERT_LE(static_cast<int>(rows.size()), most);
      if (rows.size() > 1) ++shared;
      for (const int row : rows) {
        ++seen[{row, split}];
        for (int p = split * kSplitPages; rows.size() > 1 && p < (split + 1) * kSplitPages; ++p) {
          const auto page = [&](int r) {
            return step.page_ids.at(
                static_cast<size_t>(step.rows[static_cast<size_t>(r)].pages + p));
          };
          ASSERT_EQ(page(row), page(rows[0]));
          ASSERT_GE(step.rows[static_cast<size_t>(row)].position, p * kPage + kPage - 1);
        }
      }
    }
    EXPECT_EQ(shared > 0, most > 1);
    size_t wanted = 0;
    for (size_t i = 0; i < step.rows.size(); ++i) {
      for (int split = 0; split <= step.rows[i].position / kSplit; ++split, ++wanted)
        EXPECT_EQ((seen[{static_cast<int>(i), split}]), 1) << "row " << i << " split " << split;
    }
    EXPECT_EQ(seen.size(), wanted);
  }
}

TEST(SplitItems, HoldAsManyRowsAsOneTensorCoreTile) {
  for (int group = 1; group <= 40; ++group) {
    EXPECT_GE(item_rows(group), 1);
    EXPECT_TRUE(item_rows(group) == 1 || item_rows(group) * group <= kItemRows);
    EXPECT_GT((item_rows(group) + 1) * group, kItemRows);
  }
}

// -- the kernel on a small trie -------------------------------------------------------------------

struct Branch {
  int64_t shared = 0;  // leading positions of the trunk that it shares, whole pages
  int64_t positions = 0;
  int64_t rows = 1;  // its last ones are asked for
};

struct TrieCase {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t k_size = 64;
  int64_t v_size = 64;
  int64_t window = 0;
  float softcap = 0;
  bool alibi = false;
  bool sinks = false;
  std::vector<Branch> branches;
};

constexpr float kScale = 0.11f;

Array exact_in_bf16(int64_t rows, int64_t width, uint64_t stream) {
  Array a = Array::random(rows, width, stream, 1.5f);
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t d = 0; d < width; ++d) a.at(t, d) = bf16_to_f32(f32_to_bf16(a.at(t, d)));
  }
  return a;
}

class Trie {
 public:
  explicit Trie(const TrieCase& c) : c_(c) {
    type_ = card_.be().make_matrix(random_matrix(DType::kBF16, 1, 8, 4).source());
    kv_ = card_.be().make_kv_pages(kv_shape(c.kv_heads, c.k_size, c.v_size), 64);
    const PageView view = static_cast<const CudaKvPages&>(*kv_).view(0);
    for (int p = 0; p < 64; ++p)
      std::memset(view.pages[p], 0xFF, static_cast<size_t>(kv_->page_bytes));
    Draw draw(5);
    slopes_ = card_.be().make_vector(draw.floats(c.heads, 0.01f, 0.5f));
    sinks_ = card_.be().make_vector(draw.floats(c.heads, -1, 2));
    for (const Branch& branch : c.branches) add(branch);
  }

  // The segments of the branches named, their rows in the order of all branches.
  std::vector<Segment> segments(const std::vector<size_t>& some) const {
    std::vector<Segment> all;
    for (const size_t b : some) all.push_back(paths_[b].segment);
    return all;
  }
  Array run(const std::vector<Segment>& some) {
    AttentionSpec spec{.scale = kScale, .softcap = c_.softcap, .window = c_.window};
    if (c_.alibi) spec.alibi = slopes_.get();
    if (c_.sinks) spec.sinks = sinks_.get();
    Array out(queries_, c_.heads * c_.v_size);
    Array q = query(queries_);
    card_.be().attention(q.heads(c_.heads), *kv_, spec, some, out.rows());
    return out;
  }
  // Row i of branch b, in double.
  double reference(size_t b, int64_t i, int64_t head, int64_t e) const {
    const Path& path = paths_[b];
    const int64_t t = path.segment.pos0 + i;
    const int64_t own = head / (c_.heads / c_.kv_heads);
    const Array q = query(queries_);
    double sum = c_.sinks ? std::exp(static_cast<double>(sinks_->data[head])) : 0;
    double value = 0;
    for (int64_t j = c_.window > 0 ? std::max<int64_t>(0, t - c_.window + 1) : 0; j <= t; ++j) {
      double s = 0;
      for (int64_t n = 0; n < c_.k_size; ++n) {
        s += static_cast<double>(q.at(path.segment.row0 + i, head * c_.k_size + n)) *
             static_cast<double>(path.k.at(j, own * c_.k_size + n));
      }
      s *= static_cast<double>(kScale);
      if (c_.softcap > 0) s = c_.softcap * std::tanh(s / c_.softcap);
      if (c_.alibi) s += static_cast<double>(slopes_->data[head]) * static_cast<double>(j - t);
      sum += std::exp(s);
      value += std::exp(s) * static_cast<double>(path.v.at(j, own * c_.v_size + e));
    }
    return value / sum;
  }

 private:
  struct Path {
    Segment segment;
    Array k, v;
    std::vector<int32_t> pages;
  };

  Array query(int64_t rows) const { return exact_in_bf16(rows, c_.heads * c_.k_size, 1); }

  // The first branch is the trunk.
  void add(const Branch& branch) {
    const uint64_t stream = 10 + 2 * paths_.size();
    auto path = std::make_unique<Path>(
        Path{{},
             exact_in_bf16(branch.positions, c_.kv_heads * c_.k_size, stream),
             exact_in_bf16(branch.positions, c_.kv_heads * c_.v_size, stream + 1),
             {}});
    for (int64_t t = 0; t < branch.shared; ++t) {
      const Path& trunk = paths_[0];
      for (int64_t d = 0; d < path->k.width(); ++d) path->k.at(t, d) = trunk.k.at(t, d);
      for (int64_t d = 0; d < path->v.width(); ++d) path->v.at(t, d) = trunk.v.at(t, d);
    }
    for (int64_t p = 0; p * kPage < branch.positions; ++p) {
      path->pages.push_back(p * kPage < branch.shared ? paths_[0].pages[static_cast<size_t>(p)]
                                                      : next_page_--);
    }
    const auto rows = static_cast<int32_t>(branch.positions - branch.shared);
    const Segment own{0, rows, static_cast<int32_t>(branch.shared), path->pages.data(), false};
    Array q(rows, c_.heads * c_.k_size);
    Array k = path->k, v = path->v;
    Heads some_k = k.heads(c_.kv_heads), some_v = v.heads(c_.kv_heads);
    some_k.data += branch.shared * some_k.row_stride;
    some_v.data += branch.shared * some_v.row_stride;
    card_.be().qkv_post(q.heads(c_.heads), some_k, {}, some_v, {}, std::vector{own}, 0, *kv_);
    path->segment = {static_cast<int32_t>(queries_),
                     static_cast<int32_t>(branch.rows),
                     static_cast<int32_t>(branch.positions - branch.rows),
                     path->pages.data(),
                     true};
    queries_ += branch.rows;
    paths_.push_back(std::move(*path));
  }

  TrieCase c_;
  Card card_{false};
  std::unique_ptr<Matrix> type_;
  std::unique_ptr<KvPages> kv_;
  std::unique_ptr<Vector> slopes_, sinks_;
  std::vector<Path> paths_;
  int64_t queries_ = 0;
  int32_t next_page_ = 63;
};

class Cascade : public OnCard {};

void expect_as_alone(const TrieCase& c) {
  Trie trie(c);
  std::vector<size_t> all(c.branches.size());
  std::iota(all.begin(), all.end(), 0);
  const Array together = trie.run(trie.segments(all));
  EXPECT_TRUE(together.room_untouched());
  for (size_t b = 0; b < all.size(); ++b) {
    const Segment own = trie.segments({b})[0];
    const Array alone = trie.run({own});
    for (int32_t i = 0; i < own.rows; ++i) {
      const int64_t t = own.row0 + i;
      ASSERT_TRUE(same_bits(together.row(t), alone.row(t))) << "branch " << b << " row " << i;
      for (int64_t d = 0; d < c.heads * c.v_size; d += 7) {
        ASSERT_TRUE(near(together.at(t, d), trie.reference(b, i, d / c.v_size, d % c.v_size), 8e-3))
            << "branch " << b << " row " << i << " at " << d;
      }
    }
  }
}

// Two splits in common, then one, then none; a second row of one path; a row that ends where the
// split does.
const std::vector<Branch> kBranches = {{.shared = 0, .positions = 1090},
                                       {.shared = 1024, .positions = 1056},
                                       {.shared = 960, .positions = 1030},
                                       {.shared = 512, .positions = 513, .rows = 2},
                                       {.shared = 448, .positions = 512}};

TEST_P(Cascade, RowsOfOnePrefixHaveTheBitsThatTheyHaveAlone) {
  expect_as_alone({.heads = 3, .branches = kBranches});
  if (GetParam() != simt::Order::kAscending || kFewCases) return;
  expect_as_alone({.heads = 4, .kv_heads = 2, .k_size = 192, .v_size = 128, .branches = kBranches});
}

TEST_P(Cascade, WindowsAndOptionsOfEachRowAreItsOwn) {
  // A window of 560 closes split 0 to the longer rows of an item and opens it to the others.
  for (const int64_t window : {100, 560}) {
    expect_as_alone({.heads = 2, .window = window, .sinks = true, .branches = kBranches});
    if (GetParam() != simt::Order::kAscending || kFewCases) return;
  }
  expect_as_alone({.heads = 2, .softcap = 3.0f, .alibi = true, .branches = kBranches});
}

TEST_P(Cascade, MoreRowsOrHeadsThanOneTileHolds) {
  if (GetParam() != simt::Order::kAscending) return;
  std::vector<Branch> many = {{.shared = 0, .positions = 520}};
  for (int64_t b = 0; b < 18; ++b) many.push_back({.shared = 512, .positions = 514 + b % 5});
  expect_as_alone({.branches = many});
  many.resize(3);
  expect_as_alone({.heads = 20, .branches = many});
}

KEJU_ON_CARD(Cascade);

}  // namespace
}  // namespace keju::cuda
