// SPDX-License-Identifier: MIT
// Attention and what stands before it: the general kernel in exact mode against the plain loops'
// own cases, the tensor core kernels against sums in double over what the pages hold.
#include "kernels/cpu/memory.h"
#include "tests/simt/cuda_test.h"

namespace keju::cuda {
namespace {

using kernel_test::attention_cases;
using kernel_test::AttentionCase;
using kernel_test::AttentionRig;

class AttentionOps : public OnCard {};

TEST_P(AttentionOps, GeneralKernelAgreesWithDoubleAndIsTheSameForARowAlone) {
  size_t index = 0;
  for (const AttentionCase& c : attention_cases()) {
    if (++index % 2 == 0 && GetParam() != simt::Order::kAscending) continue;
    if (kFewCases && index % 5 > 1) continue;  // of each shape's five: all options, none
    AttentionRig rig(cuda(), c);
    const Array out = rig.run();
    for (int64_t t = 0; t < c.positions; ++t) {
      for (int64_t i = 0; i < c.heads * c.v_size; ++i) {
        if (t < c.positions - c.rows) {
          ASSERT_EQ(out.at(t, i), Array::kUntouched);
        } else {
          ASSERT_TRUE(near(out.at(t, i), rig.reference(t, i / c.v_size, i % c.v_size), 3e-5))
              << text(c) << " row " << t;
        }
      }
    }
    const int64_t t = c.positions - 1;
    EXPECT_TRUE(same_bits(rig.run({rig.segment(t, 1)}).row(t), out.row(t))) << text(c);
  }
}

// -- keys, values and queries on their way in -----------------------------------------------------

struct QkvCase {
  int64_t heads = 4;
  int64_t kv_heads = 2;
  int64_t size = 24;     // of a query
  int64_t k_shared = 0;  // of which in the shared part
  int64_t v_size = 10;
  QkvSpec spec;
};

std::vector<float> keys_of(
    const Backend&, KvPages& kv, const QkvCase& c, int32_t page, int64_t slot, bool on_cpu) {
  std::vector<float> out;
  for (int64_t h = 0; h < c.kv_heads; ++h) {
    for (int64_t e = 0; e < c.size; ++e) {
      if (on_cpu) {
        auto& cpu = static_cast<CpuKvPages&>(kv);
        out.push_back(cpu.keys(page, cpu.layer(1), h)[e * kPagePositions + slot]);
      } else {
        const PageView view = static_cast<CudaKvPages&>(kv).view(1);
        out.push_back(static_cast<const float*>(view.pages[page])[key_at(view.at, h, slot) + e]);
      }
    }
    for (int64_t e = 0; e < c.v_size; ++e) {
      if (on_cpu) {
        auto& cpu = static_cast<CpuKvPages&>(kv);
        out.push_back(cpu.values(page, cpu.layer(1), h)[slot * c.v_size + e]);
      } else {
        const PageView view = static_cast<CudaKvPages&>(kv).view(1);
        out.push_back(static_cast<const float*>(view.pages[page])[value_at(view.at, h, slot) + e]);
      }
    }
  }
  return out;
}

TEST_P(AttentionOps, QkvPostOfEveryForm) {
  using Scope = HeadNormSpec::Scope;
  constexpr int32_t kRows = 9;
  for (int options = 0; options < 96; options += kFewCases ? 7 : 1) {
    QkvCase c;
    if (options & 1) c.k_shared = 6;
    Draw draw(static_cast<uint64_t>(options));
    const std::vector<float> shared_weight = draw.floats(c.size);
    const std::vector<float> q_weight = draw.floats(c.heads * c.size);
    const std::vector<float> k_weight = draw.floats(c.kv_heads * c.size);
    const std::vector<float> angles = draw.floats(80 * 8, -3, 3);
    const std::vector<float> scales = draw.floats(80, 0.5f, 2);
    std::vector<float> cosines, sines;
    for (const float a : angles) {
      cosines.push_back(std::cos(a));
      sines.push_back(std::sin(a));
    }
    const std::vector<int32_t> path = {2, 0};
    const std::vector<Segment> segments = {{0, 4, 62, path.data(), false},
                                           {4, kRows - 4, 3, path.data() + 1, true}};
    const auto run = [&](Backend& be, std::vector<float>* keys, bool on_cpu) {
      const auto cos = be.make_vector(cosines);
      const auto sin = be.make_vector(sines);
      const auto scale = be.make_vector(scales);
      const auto shared = be.make_vector(shared_weight);
      const auto wq = be.make_vector(q_weight);
      const auto wk = be.make_vector(k_weight);
      QkvSpec spec;
      const int norm = options / 2 % 3;
      if (norm > 0) {
        const bool one = (options & 8) != 0;
        spec.q_norm = {norm == 1 ? Scope::kHead : Scope::kRow,
                       {.kind = options & 16 ? NormKind::kLayer : NormKind::kRms,
                        .weight = one ? shared.get() : wq.get(),
                        .eps = 1e-4f,
                        .one_plus_weight = (options & 32) != 0}};
        spec.k_norm = spec.q_norm;
        spec.k_norm.norm.weight = one ? shared.get() : wk.get();
      }
      spec.norm_after_rope = (options & 4) != 0;
      spec.rope_style = options & 16 ? RopeStyle::kInterleaved : RopeStyle::kHalf;
      spec.rope_offset = options & 32 ? 8 : 0;
      spec.rope_dim = options % 5 == 0 ? 0 : 16;
      spec.rope_cos = cos.get();
      spec.rope_sin = sin.get();
      if (options & 8) spec.q_scale = scale.get();
      Array q = Array::random(kRows, c.heads * c.size, 5);
      Array k = Array::random(kRows, c.kv_heads * (c.size - c.k_shared), 6);
      Array tail = Array::random(kRows, std::max<int64_t>(1, c.k_shared), 7);
      Array v = Array::random(kRows, c.kv_heads * c.v_size, 8);
      auto kv = be.make_kv_pages(kv_shape(c.kv_heads, c.size, c.v_size, 2), 3);
      be.qkv_post(q.heads(c.heads),
                  k.heads(c.kv_heads),
                  c.k_shared > 0 ? tail.heads(1) : Heads{},
                  v.heads(c.kv_heads),
                  spec,
                  segments,
                  1,
                  *kv);
      for (const auto& [page, slot] : std::vector<std::pair<int32_t, int64_t>>{
               {2, 62}, {2, 63}, {0, 0}, {0, 1}, {0, 3}, {0, 7}, {1, 0}, {2, 0}, {0, 8}}) {
        const auto one = keys_of(be, *kv, c, page, slot, on_cpu);
        keys->insert(keys->end(), one.begin(), one.end());
      }
      return q;
    };
    std::vector<float> got_keys, want_keys;
    const Array got = run(cuda(), &got_keys, false);
    const Array want = run(plain(), &want_keys, true);
    ASSERT_TRUE(all_near(got, want, 3e-6)) << options;
    ASSERT_EQ(got_keys.size(), want_keys.size());
    for (size_t i = 0; i < want_keys.size(); ++i)
      ASSERT_TRUE(near(got_keys[i], want_keys[i], 3e-6)) << options << " at " << i;
  }
}

TEST_P(AttentionOps, CopiedPagesServeAsWellAsTheirOriginals) {
  AttentionCase c{
      .heads = 4, .kv_heads = 2, .k_size = 16, .v_size = 12, .positions = 100, .rows = 1};
  AttentionRig rig(cuda(), c);
  const Array want = rig.run();
  cuda().grow_kv_pages(rig.kv(), 9);
  EXPECT_GE(rig.kv().pages, 9);
  const std::vector<PageCopy> copies = {{rig.pages()[1], 7, 36}, {7, 8, 36}};  // in this order
  cuda().copy_pages(rig.kv(), 1, copies);
  const int32_t pages[] = {rig.pages()[0], 8};
  Segment s = rig.segment(99, 1);
  s.pages = pages;
  EXPECT_TRUE(same_bits(rig.run({s}).row(99), want.row(99)));
  // The 37th slot was not copied: fresh pages hold zeros.
  const PageView view = static_cast<CudaKvPages&>(rig.kv()).view(1);
  EXPECT_EQ(static_cast<const float*>(view.pages[8])[value_at(view.at, 1, 36)], 0);
  EXPECT_NE(static_cast<const float*>(view.pages[8])[value_at(view.at, 1, 35)], 0);
}

// -- tensor cores ---------------------------------------------------------------------------------

struct NativeCase {
  DType type = DType::kBF16;
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t k_size = 64;
  int64_t v_size = 64;
  int64_t positions = 70;
  int64_t rows = 70;
  bool generated = false;
  int64_t window = 0;
  float softcap = 0;
  bool alibi = false;
  bool sinks = false;
};

// Inputs that the 16-bit type holds exactly, so that only the weights' rounding is left.
Array exact_in(DType type, int64_t rows, int64_t width, uint64_t stream) {
  Array a = Array::random(rows, width, stream, 1.5f);
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t d = 0; d < width; ++d) {
      float& v = a.at(t, d);
      v = type == DType::kF16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
    }
  }
  return a;
}

class NativeRig {
 public:
  explicit NativeRig(const NativeCase& c)
      : c_(c),
        q_(exact_in(c.type, c.positions, c.heads * c.k_size, 1)),
        k_(exact_in(c.type, c.positions, c.kv_heads * c.k_size, 2)),
        v_(exact_in(c.type, c.positions, c.kv_heads * c.v_size, 3)) {
    type_ =
        card_.be().make_matrix(random_matrix(c.type, 1, 8, 4).source());  // sets the pages' type
    const int64_t used = (c.positions + kPage - 1) / kPage;
    kv_ = card_.be().make_kv_pages(kv_shape(c.kv_heads, c.k_size, c.v_size), used + 1);
    for (int64_t p = 0; p < used; ++p) pages_.push_back(static_cast<int32_t>(used - p));
    // What no position of the path has written is NaN.
    for (int64_t p = 0; p <= used; ++p) {
      const PageView view = pages();
      std::memset(view.pages[p], 0xFF, static_cast<size_t>(kv_->page_bytes));
    }
    Draw draw(5);
    slopes_ = card_.be().make_vector(draw.floats(c.heads, 0.01f, 0.5f));
    sinks_ = card_.be().make_vector(draw.floats(c.heads, -1, 2));
    Array q = q_, k = k_, v = v_;
    card_.be().qkv_post(q.heads(c.heads),
                        k.heads(c.kv_heads),
                        {},
                        v.heads(c.kv_heads),
                        {},
                        std::vector<Segment>{segment(0, c.positions)},
                        0,
                        *kv_);
  }

  PageView pages() const { return static_cast<const CudaKvPages&>(*kv_).view(0); }
  Segment segment(int64_t first, int64_t rows) const {
    return {static_cast<int32_t>(first),
            static_cast<int32_t>(rows),
            static_cast<int32_t>(first),
            pages_.data(),
            c_.generated};
  }
  Array run(const std::vector<Segment>& segments) {
    AttentionSpec spec{.scale = 0.11f, .softcap = c_.softcap, .window = c_.window};
    if (c_.alibi) spec.alibi = slopes_.get();
    if (c_.sinks) spec.sinks = sinks_.get();
    Array out(c_.positions, c_.heads * c_.v_size);
    Array q = q_;
    card_.be().attention(q.heads(c_.heads), *kv_, spec, segments, out.rows());
    return out;
  }
  double reference(int64_t t, int64_t head, int64_t e) const {
    const int64_t own = head / (c_.heads / c_.kv_heads);
    const int64_t first = c_.window > 0 ? std::max<int64_t>(0, t - c_.window + 1) : 0;
    double sum = c_.sinks ? std::exp(static_cast<double>(sinks_->data[head])) : 0;
    double value = 0;
    for (int64_t j = first; j <= t; ++j) {
      double s = 0;
      for (int64_t i = 0; i < c_.k_size; ++i) {
        s += static_cast<double>(q_.at(t, head * c_.k_size + i)) *
             static_cast<double>(k_.at(j, own * c_.k_size + i));
      }
      s *= static_cast<double>(0.11f);
      if (c_.softcap > 0) s = c_.softcap * std::tanh(s / c_.softcap);
      if (c_.alibi) s += static_cast<double>(slopes_->data[head]) * static_cast<double>(j - t);
      sum += std::exp(s);
      value += std::exp(s) * static_cast<double>(v_.at(j, own * c_.v_size + e));
    }
    return value / sum;
  }
  Card& card() { return card_; }

 private:
  NativeCase c_;
  Card card_{false};
  Array q_, k_, v_;
  std::unique_ptr<Matrix> type_;
  std::unique_ptr<KvPages> kv_;
  std::vector<int32_t> pages_;
  std::unique_ptr<Vector> slopes_, sinks_;
};

std::string text(const NativeCase& c) {
  return std::string(name(c.type)) + " heads " + std::to_string(c.heads) + "/" +
         std::to_string(c.kv_heads) + " sizes " + std::to_string(c.k_size) + "/" +
         std::to_string(c.v_size) + " positions " + std::to_string(c.positions) + " rows " +
         std::to_string(c.rows) + (c.generated ? " generated" : "") + " window " +
         std::to_string(c.window) + (c.softcap > 0 ? " cap" : "") + (c.alibi ? " alibi" : "") +
         (c.sinks ? " sinks" : "");
}

// Weights are rounded to 16 bits before they meet the values: half a unit in the last place of
// each, on values up to 1.5.
double tolerance(DType type) { return type == DType::kF16 ? 1.5e-3 : 8e-3; }

void expect_right(const NativeCase& c) {
  NativeRig rig(c);
  const int64_t first = c.positions - c.rows;
  const Array all = rig.run({rig.segment(first, c.rows)});
  const char* const kernel = c.generated ? "attention_decode" : "attention_prefill";
  ASSERT_EQ(rig.card().record->kernels[kernel], 1) << text(c);
  for (int64_t t = 0; t < c.positions; ++t) {
    for (int64_t i = 0; i < c.heads * c.v_size; ++i) {
      if (t < first) {
        ASSERT_EQ(all.at(t, i), Array::kUntouched);
      } else {
        ASSERT_TRUE(
            near(all.at(t, i), rig.reference(t, i / c.v_size, i % c.v_size), tolerance(c.type)))
            << text(c) << " row " << t << " at " << i;
      }
    }
  }
  EXPECT_TRUE(all.room_untouched());
  // Alone, in another tile, beside others: the same bits.
  for (const int64_t t : {first, first + c.rows / 2, c.positions - 1}) {
    ASSERT_TRUE(same_bits(rig.run({rig.segment(t, 1)}).row(t), all.row(t)))
        << text(c) << " row " << t;
  }
  if (c.rows < 3) return;
  const int64_t cut = first + (c.rows + 2) / 3;
  const Array two = rig.run({rig.segment(cut, c.positions - cut), rig.segment(first, cut - first)});
  for (int64_t t = first; t < c.positions; ++t)
    ASSERT_TRUE(same_bits(two.row(t), all.row(t))) << text(c) << " row " << t;
}

TEST_P(AttentionOps, TensorCoresOnEveryHeadSize) {
  for (const auto& [k_size, v_size] : std::vector<std::pair<int64_t, int64_t>>{
           {64, 64}, {80, 80}, {96, 96}, {128, 128}, {192, 128}, {192, 192}, {256, 256}}) {
    expect_right({.k_size = k_size, .v_size = v_size, .positions = 67, .rows = 4});
    expect_right({.type = DType::kF16,
                  .heads = 3,
                  .k_size = k_size,
                  .v_size = v_size,
                  .positions = 66,
                  .rows = 2,
                  .generated = true});
  }
}

TEST_P(AttentionOps, TensorCoresAtBordersOfPagesTilesAndSplits) {
  for (const bool generated : {false, true}) {
    for (const int64_t positions : {1, 63, 64, 65, 129}) {
      expect_right({.positions = positions,
                    .rows = std::min<int64_t>(positions, 3),
                    .generated = generated});
    }
    expect_right({.heads = 8,
                  .kv_heads = 2,
                  .positions = 80,
                  .rows = generated ? 2 : 70,
                  .generated = generated});
    expect_right({.heads = 40, .kv_heads = 1, .positions = 3, .rows = 2, .generated = generated});
  }
  for (const int64_t positions : {511, 512, 513, 577})
    expect_right({.heads = 2, .positions = positions, .rows = 2, .generated = true});
}

TEST_P(AttentionOps, TensorCoresWithEveryOption) {
  for (const bool generated : {false, true}) {
    for (const int64_t window : {0, 1, 40, 64, 70, 100}) {
      for (int options = 0; options < 8; ++options) {
        if (window != 0 && window != 40 && options != 0 && options != 7) continue;
        if (kFewCases && (options != 7 || window % 40 != 0)) continue;
        expect_right({.heads = 4,
                      .kv_heads = 2,
                      .positions = 140,
                      .rows = generated ? 1 : 9,
                      .generated = generated,
                      .window = window,
                      .softcap = options & 1 ? 3.0f : 0.0f,
                      .alibi = (options & 2) != 0,
                      .sinks = (options & 4) != 0});
      }
    }
  }
  expect_right(
      {.heads = 2, .positions = 700, .rows = 1, .generated = true, .window = 150, .sinks = true});
}

KEJU_ON_CARD(AttentionOps);

}  // namespace
}  // namespace keju::cuda
