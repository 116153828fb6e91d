// SPDX-License-Identifier: MIT
#include "attention_case.h"

namespace keju::kernel_test {
namespace {

class AttentionOps : public PerIsa {};

TEST_P(AttentionOps, OnePositionSeesItselfOnly) {
  AttentionRig rig(
      be(), {.heads = 2, .kv_heads = 1, .k_size = 4, .v_size = 3, .positions = 1, .rows = 1});
  const Array out = rig.run();
  for (int64_t h = 0; h < 2; ++h) {
    for (int64_t e = 0; e < 3; ++e) {
      EXPECT_TRUE(near(out.at(0, h * 3 + e), rig.reference(0, h, e), 1e-6));
    }
  }
}

TEST_P(AttentionOps, AgreesWithDoubleAndTouchesNothingElse) {
  for (const AttentionCase& c : attention_cases()) {
    AttentionRig rig(be(), c);
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
    EXPECT_TRUE(out.room_untouched());
  }
}

TEST_P(AttentionOps, ConstantValuesComeBackAsTheyAre) {
  // Whatever the weights, they sum to one.
  const int64_t n = 100;
  auto kv = be().make_kv_pages(kv_shape(1, 8, 4), 2);
  Array q = Array::random(n, 8, 1);
  Array k = Array::random(n, 8, 2);
  Array v(n, 4);
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t e = 0; e < 4; ++e) v.at(t, e) = 3;
  }
  const int32_t pages[] = {1, 0};
  const std::vector<Segment> segments = {{0, static_cast<int32_t>(n), 0, pages, false}};
  be().qkv_post(q.heads(1), k.heads(1), {}, v.heads(1), {}, segments, 0, *kv);
  Array out(n, 4);
  be().attention(q.heads(1), *kv, {}, segments, out.rows());
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t e = 0; e < 4; ++e) EXPECT_TRUE(near(out.at(t, e), 3, 1e-6));
  }
}

TEST_P(AttentionOps, ARowAloneEqualsTheRowInAStep) {
  for (const AttentionCase& c : attention_cases()) {
    AttentionRig rig(be(), c);
    const Array all = rig.run();
    const int64_t first = c.positions - c.rows;
    for (const int64_t t : {first, first + c.rows / 2, c.positions - 1}) {
      const Array one = rig.run({rig.segment(t, 1)});
      EXPECT_TRUE(same_bits(one.row(t), all.row(t))) << text(c) << " row " << t;
    }
    if (c.rows > 2) {  // cut in two unequal segments, given in the wrong order
      const int64_t cut = first + (c.rows + 2) / 3;
      const Array two =
          rig.run({rig.segment(cut, c.positions - cut), rig.segment(first, cut - first)});
      for (int64_t t = first; t < c.positions; ++t) {
        EXPECT_TRUE(same_bits(two.row(t), all.row(t))) << text(c) << " row " << t;
      }
    }
  }
}

TEST_P(AttentionOps, CopiedPagesServeAsWellAsTheirOriginals) {
  AttentionCase c{
      .heads = 4, .kv_heads = 2, .k_size = 16, .v_size = 12, .positions = 100, .rows = 1};
  AttentionRig rig(be(), c);
  const Array want = rig.run();
  be().grow_kv_pages(rig.kv(), 9);
  EXPECT_GE(rig.kv().pages, 9);
  const std::vector<PageCopy> copies = {{rig.pages()[1], 7, 36}, {7, 8, 36}};  // in this order
  be().copy_pages(rig.kv(), 1, copies);
  const int32_t pages[] = {rig.pages()[0], 8};
  Segment s = rig.segment(99, 1);
  s.pages = pages;
  EXPECT_TRUE(same_bits(rig.run({s}).row(99), want.row(99)));
}

TEST_P(AttentionOps, LayersMayHaveShapesOfTheirOwn) {
  KvShape shape;
  shape.layers = 2;
  shape.per_layer = {{1, 8, 8}, {2, 16, 4}};
  auto kv = be().make_kv_pages(shape, 1);
  EXPECT_EQ(kv->page_bytes, 64 * 4 * (1 * (8 + 8) + 2 * (16 + 4)));
  const int32_t page = 0;
  const std::vector<Segment> segments = {{0, 3, 0, &page, false}};
  for (int64_t layer = 0; layer < 2; ++layer) {
    const int64_t heads = layer == 0 ? 1 : 2;
    const int64_t k_size = layer == 0 ? 8 : 16;
    const int64_t v_size = layer == 0 ? 8 : 4;
    Array q = Array::random(3, heads * k_size, 5);
    Array k = Array::random(3, heads * k_size, 6);
    Array v = Array::random(3, heads * v_size, 7);
    be().qkv_post(q.heads(heads), k.heads(heads), {}, v.heads(heads), {}, segments, layer, *kv);
    Array out(3, heads * v_size);
    be().attention(q.heads(heads), *kv, {.layer = layer}, segments, out.rows());
    for (int64_t i = 0; i < heads * v_size; ++i) EXPECT_TRUE(near(out.at(0, i), v.at(0, i), 1e-6));
  }
}

KEJU_PER_ISA(AttentionOps);

}  // namespace
}  // namespace keju::kernel_test
