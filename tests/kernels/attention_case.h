// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <optional>

#include "kernel_test.h"

namespace keju::kernel_test {

// One attention problem: a path of `positions` keys and values, queries at its last `rows`.
struct AttentionCase {
  int64_t heads = 2;
  int64_t kv_heads = 1;
  int64_t k_size = 8;
  int64_t v_size = 8;
  int64_t positions = 5;
  int64_t rows = 5;
  float softcap = 0;
  int64_t window = 0;
  bool alibi = false;
  bool sinks = false;
  uint64_t stream = 1;
};

// A case on a backend: pages filled, queries ready. Pages stand in memory in an order of their own,
// and hold NaN wherever no position of the path has been written.
class AttentionRig {
 public:
  AttentionRig(Backend& backend, const AttentionCase& c)
      : backend_(backend),
        c_(c),
        q_(Array::random(c.positions, c.heads * c.k_size, c.stream, 1.5f)),
        k_(Array::random(c.positions, c.kv_heads * c.k_size, c.stream + 1, 1.5f)),
        v_(Array::random(c.positions, c.kv_heads * c.v_size, c.stream + 2, 1.5f)) {
    const int64_t used = (c.positions + kPagePositions - 1) / kPagePositions;
    kv_ = backend.make_kv_pages(kv_shape(c.kv_heads, c.k_size, c.v_size, 2), used + 2);
    for (int64_t p = 0; p < used; ++p) pages_.push_back(static_cast<int32_t>(used - p));
    poison(used);
    Draw draw(c.stream + 3);
    slopes_ = backend.make_vector(draw.floats(c.heads, 0.01f, 0.5f));
    sinks_ = backend.make_vector(draw.floats(c.heads, -1, 2));
    write(k_, v_, segment(0, c.positions));
  }

  Segment segment(int64_t first, int64_t rows) const {
    return {static_cast<int32_t>(first),
            static_cast<int32_t>(rows),
            static_cast<int32_t>(first),
            pages_.data(),
            false};
  }

  AttentionSpec spec() const {
    AttentionSpec s{.layer = 1, .scale = 0.37f, .softcap = c_.softcap, .window = c_.window};
    if (c_.alibi) s.alibi = slopes_.get();
    if (c_.sinks) s.sinks = sinks_.get();
    return s;
  }

  // All the case's rows in one step.
  Array run() { return run({segment(c_.positions - c_.rows, c_.rows)}); }
  Array run(const std::vector<Segment>& segments) {
    Array out(c_.positions, c_.heads * c_.v_size);
    backend_.attention(q_.heads(c_.heads), *kv_, spec(), segments, out.rows());
    return out;
  }

  double reference(int64_t t, int64_t head, int64_t e) const {
    const int64_t own = head / (c_.heads / c_.kv_heads);
    const int64_t first = c_.window > 0 ? std::max<int64_t>(0, t - c_.window + 1) : 0;
    std::vector<double> scores;
    double max = c_.sinks ? sinks_->data[head] : -1e300;
    for (int64_t j = first; j <= t; ++j) {
      double s = 0;
      for (int64_t i = 0; i < c_.k_size; ++i) {
        s += static_cast<double>(q_.at(t, head * c_.k_size + i)) *
             static_cast<double>(k_.at(j, own * c_.k_size + i));
      }
      s *= static_cast<double>(0.37f);
      if (c_.softcap > 0) s = c_.softcap * std::tanh(s / c_.softcap);
      if (c_.alibi) s += slopes_->data[head] * static_cast<double>(j - t);
      scores.push_back(s);
      max = std::max(max, s);
    }
    double sum = c_.sinks ? std::exp(sinks_->data[head] - max) : 0;
    double value = 0;
    for (int64_t j = first; j <= t; ++j) {
      const double p = std::exp(scores[static_cast<size_t>(j - first)] - max);
      sum += p;
      value += p * static_cast<double>(v_.at(j, own * c_.v_size + e));
    }
    return value / sum;
  }

  const AttentionCase& shape() const { return c_; }
  KvPages& kv() { return *kv_; }
  Backend& backend() { return backend_; }
  Array& q() { return q_; }
  const std::vector<int32_t>& pages() const { return pages_; }

 private:
  void write(Array k, Array v, Segment s) {
    Array q(c_.positions, c_.heads * c_.k_size);
    for (int64_t t = 0; t < c_.positions; ++t) {
      for (int64_t d = 0; d < q.width(); ++d) q.at(t, d) = 0;
    }
    backend_.qkv_post(q.heads(c_.heads),
                      k.heads(c_.kv_heads),
                      {},
                      v.heads(c_.kv_heads),
                      {},
                      std::vector<Segment>{s},
                      1,
                      *kv_);
  }
  void poison(int64_t used) {
    Array k(kPagePositions * used, c_.kv_heads * c_.k_size);
    Array v(kPagePositions * used, c_.kv_heads * c_.v_size);
    Array q(kPagePositions * used, c_.heads * c_.k_size);
    for (int64_t t = 0; t < k.count(); ++t) {
      for (int64_t d = 0; d < k.width(); ++d) k.at(t, d) = NAN;
      for (int64_t d = 0; d < v.width(); ++d) v.at(t, d) = NAN;
      for (int64_t d = 0; d < q.width(); ++d) q.at(t, d) = 0;
    }
    Segment s = segment(0, k.count());
    backend_.qkv_post(q.heads(c_.heads),
                      k.heads(c_.kv_heads),
                      {},
                      v.heads(c_.kv_heads),
                      {},
                      std::vector<Segment>{s},
                      1,
                      *kv_);
  }

  Backend& backend_;
  AttentionCase c_;
  Array q_;
  Array k_;
  Array v_;
  std::unique_ptr<KvPages> kv_;
  std::vector<int32_t> pages_;
  std::unique_ptr<Vector> slopes_;
  std::unique_ptr<Vector> sinks_;
};

inline std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> cases = {
      {.positions = 1, .rows = 1},
      {.heads = 4, .kv_heads = 4, .k_size = 64, .v_size = 64, .positions = 13, .rows = 13},
      {.heads = 9, .kv_heads = 3, .k_size = 64, .v_size = 64, .positions = 70, .rows = 70},
      {.heads = 4, .kv_heads = 1, .k_size = 256, .v_size = 256, .positions = 66, .rows = 3},
      {.heads = 8, .kv_heads = 1, .k_size = 80, .v_size = 48, .positions = 130, .rows = 130},
      {.heads = 5, .kv_heads = 1, .k_size = 24, .v_size = 17, .positions = 129, .rows = 7},
      {.heads = 6, .kv_heads = 2, .k_size = 33, .v_size = 5, .positions = 200, .rows = 1},
      {.heads = 2, .kv_heads = 2, .k_size = 192, .v_size = 128, .positions = 65, .rows = 2},
      {.heads = 7, .kv_heads = 1, .k_size = 16, .v_size = 16, .positions = 300, .rows = 100},
  };
  for (const int64_t at : {63, 64, 65, 128}) {
    cases.push_back({.heads = 4, .kv_heads = 2, .positions = at, .rows = 2 < at ? 2 : at});
  }
  std::vector<AttentionCase> all;
  for (AttentionCase c : cases) {
    c.stream = 1000 + 10 * all.size();
    all.push_back(c);
    c.window = 40;
    all.push_back(c);
    c.softcap = 5;
    all.push_back(c);
    c.window = 1;
    c.sinks = true;
    all.push_back(c);
    c.window = 64;
    c.softcap = 0;
    c.alibi = true;
    all.push_back(c);
  }
  return all;
}

inline std::string text(const AttentionCase& c) {
  return "heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " sizes " +
         std::to_string(c.k_size) + "/" + std::to_string(c.v_size) + " positions " +
         std::to_string(c.positions) + " rows " + std::to_string(c.rows) + " window " +
         std::to_string(c.window) + " cap " + std::to_string(c.softcap) +
         (c.alibi ? " alibi" : "") + (c.sinks ? " sinks" : "");
}

}  // namespace keju::kernel_test
