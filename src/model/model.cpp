// SPDX-License-Identifier: MIT
#include "model/model.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/exact_math.h"
#include "model/model_parts.h"
#include "model/rope_table.h"

namespace keju {
namespace {

// Rope tables grow by doubling from here, so that short texts do not pay for a long context.
constexpr int64_t kFirstRopePositions = 2048;

int64_t last_position(const Step& step) {
  int64_t last = 0;
  for (const Segment& s : step.segments) last = std::max<int64_t>(last, s.pos0 + s.rows);
  return last;
}

}  // namespace

Model::~Model() = default;

std::unique_ptr<KvPages> Model::make_kv_pages(int64_t pages) {
  KvShape shape;
  shape.layers = range_.last - range_.first;
  shape.kv_heads = descriptor_.kv_heads;
  shape.k_size = descriptor_.k_size;
  shape.v_size = descriptor_.v_size;
  return backend_.make_kv_pages(shape, pages);
}

const Model::RopeVectors& Model::rope_vectors(int rope, int64_t regime, int64_t positions) {
  // Only one regime past the limit is kept: its tables are as long as its texts.
  if (regime > 0) {
    std::erase_if(ropes_, [&](const auto& entry) {
      return entry.first.second > 0 && entry.first.second != regime;
    });
  }
  RopeVectors& vectors = ropes_[{rope, regime}];
  if (vectors.positions < positions) {
    int64_t size = std::max(kFirstRopePositions, vectors.positions);
    while (size < positions) size *= 2;
    const RopeTable table = make_rope_table(descriptor_.ropes[rope], size, regime);
    vectors.cos = backend_.make_vector(table.cos);
    vectors.sin = backend_.make_vector(table.sin);
    vectors.positions = size;
  }
  return vectors;
}

QkvSpec Model::qkv_spec(const Layer& layer, int64_t index, int64_t regime, int64_t positions) {
  const Descriptor& d = descriptor_;
  QkvSpec spec;
  const auto head_norm = [&](const std::unique_ptr<Vector>& weight) {
    HeadNormSpec s;
    s.scope = d.qk_norm;
    s.norm = {.kind = d.qk_norm_kind,
              .weight = weight.get(),
              .bias = nullptr,
              .eps = static_cast<float>(d.qk_norm_eps),
              .one_plus_weight = d.qk_norm_one_plus};
    return s;
  };
  if (d.qk_norm != HeadNormSpec::Scope::kNone) {
    spec.q_norm = head_norm(layer.q_norm);
    spec.k_norm = head_norm(layer.k_norm);
  }
  spec.norm_after_rope = d.qk_norm_after_rope;
  const int rope = d.layer[index].rope;
  if (rope >= 0 && d.ropes[rope].dim > 0) {
    const RopeVectors& vectors = rope_vectors(rope, regime, positions);
    spec.rope_style = d.ropes[rope].style;
    spec.rope_offset = d.ropes[rope].offset;
    spec.rope_dim = d.ropes[rope].dim;
    spec.rope_cos = vectors.cos.get();
    spec.rope_sin = vectors.sin.get();
  }
  if (d.logn_attention) {
    if (logn_ == nullptr || logn_->size < positions) {
      std::vector<float> scale(std::max(positions, kFirstRopePositions));
      for (size_t p = 0; p < scale.size(); ++p) {
        const auto length = static_cast<double>(p + 1);
        scale[p] = length > d.logn_context
                       ? static_cast<float>(exact_log(length) / exact_log(d.logn_context))
                       : 1.0f;
      }
      logn_ = backend_.make_vector(scale);
    }
    spec.q_scale = logn_.get();
  }
  return spec;
}

void Model::project_qkv(
    const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv, Heads& q) {
  const Descriptor& d = descriptor_;
  const int64_t q_width = d.heads * d.k_size, k_width = d.kv_heads * d.k_size;
  const Rows qkv = buffers_->qkv.rows(x.count, layer.qkv.rows);
  ops::linear(backend_, x, layer.qkv, qkv);
  q = {.data = qkv.data,
       .heads = d.heads,
       .size = d.k_size,
       .row_stride = qkv.stride,
       .head_stride = d.k_size};
  const Heads k{.data = qkv.data + q_width,
                .heads = d.kv_heads,
                .size = d.k_size,
                .row_stride = qkv.stride,
                .head_stride = d.k_size};
  const Heads v{.data = qkv.data + q_width + k_width,
                .heads = d.kv_heads,
                .size = d.v_size,
                .row_stride = qkv.stride,
                .head_stride = d.v_size};
  ops::qkv_post(backend_,
                q,
                k,
                {},
                v,
                qkv_spec(layer, index, step.regime, last_position(step)),
                step.segments,
                kv_layer(index),
                kv);
  if (!step.copies.empty()) backend_.copy_pages(kv, kv_layer(index), step.copies);
}

// Multi-head latent attention, expanded to ordinary heads: every key is its head's part of the
// latent followed by one rotary part that all heads share (DeepSeek-V2, arXiv:2405.04434).
void Model::project_mla(
    const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv, Heads& q) {
  const MlaSettings& m = descriptor_.mla;
  const int64_t heads = descriptor_.heads, k_size = m.nope + m.rope;
  const Mla& mla = *layer.mla;
  const Rows q_rows = buffers_->qkv.rows(x.count, heads * k_size);
  if (mla.q_a.empty()) {
    ops::linear(backend_, x, mla.q_b, q_rows);
  } else {
    const Rows low = buffers_->latent.rows(x.count, m.q_rank);
    ops::linear(backend_, x, mla.q_a, low);
    ops::norm(backend_, low, mla.q_a_norm.spec, low);
    ops::linear(backend_, low, mla.q_b, q_rows);
  }
  const Rows latent = buffers_->latent.rows(x.count, m.kv_rank + m.rope);
  ops::linear(backend_, x, mla.kv_a, latent);
  Rows compressed = latent;
  compressed.width = m.kv_rank;
  ops::norm(backend_, compressed, mla.kv_a_norm.spec, compressed);
  const Rows expanded = buffers_->expanded.rows(x.count, heads * (m.nope + m.value));
  ops::linear(backend_, compressed, mla.kv_b, expanded);

  q = {.data = q_rows.data,
       .heads = heads,
       .size = k_size,
       .row_stride = q_rows.stride,
       .head_stride = k_size};
  const Heads k{.data = expanded.data,
                .heads = heads,
                .size = m.nope,
                .row_stride = expanded.stride,
                .head_stride = m.nope + m.value};
  const Heads shared{.data = latent.data + m.kv_rank,
                     .heads = 1,
                     .size = m.rope,
                     .row_stride = latent.stride,
                     .head_stride = m.rope};
  const Heads v{.data = expanded.data + m.nope,
                .heads = heads,
                .size = m.value,
                .row_stride = expanded.stride,
                .head_stride = m.nope + m.value};
  ops::qkv_post(backend_,
                q,
                k,
                shared,
                v,
                qkv_spec(layer, index, step.regime, last_position(step)),
                step.segments,
                kv_layer(index),
                kv);
  if (!step.copies.empty()) backend_.copy_pages(kv, kv_layer(index), step.copies);
}

// Whether only the rows that the step wants go on behind this layer's keys and values: nothing
// reads the others of the last layer.
bool Model::keeps_some(int64_t index, const Step& step) const {
  return index + 1 == descriptor_.layers && step.needed.size() < step.ids.size();
}

// The needed rows of a step as segments: runs of rows that follow each other in a text.
std::span<const Segment> Model::kept_segments(const Step& step) {
  std::vector<Segment>& kept = buffers_->kept;
  kept.clear();
  auto next = step.needed.begin();
  for (const Segment& s : step.segments) {
    const int32_t end = s.row0 + s.rows;
    for (; next != step.needed.end() && *next < end; ++next) {
      if (!kept.empty() && kept.back().row0 >= s.row0 &&
          kept.back().row0 + kept.back().rows == *next) {
        ++kept.back().rows;
        continue;
      }
      Segment run = s;
      run.row0 = *next;
      run.rows = 1;
      run.pos0 = s.pos0 + *next - s.row0;
      kept.push_back(run);
    }
  }
  return kept;
}

// The rows that attention adds to the residual: of all of x, or of the needed ones if keeps_some.
Rows Model::attention_block(
    const Layer& layer, int64_t index, const Step& step, Rows x, KvPages& kv) {
  const Descriptor& d = descriptor_;
  Heads q;
  if (layer.mla != nullptr) {
    project_mla(layer, index, step, x, kv, q);
  } else {
    project_qkv(layer, index, step, x, kv, q);
  }
  AttentionSpec spec;
  spec.layer = kv_layer(index);
  const double own_scale = d.layer[index].attention_scale;
  spec.scale = static_cast<float>(own_scale > 0 ? own_scale : d.attention_scale);
  spec.softcap = static_cast<float>(d.attention_softcap);
  spec.window = d.layer[index].window;
  spec.alibi = alibi_.get();
  spec.sinks = layer.sinks.get();
  Rows mixed = buffers_->mixed.rows(x.count, d.heads * d.v_size);
  Rows own = mixed;
  own.count -= step.padding;
  if (keeps_some(index, step)) {
    const auto kept = static_cast<int64_t>(step.needed.size());
    if (kept > 0) {
      ops::attention(backend_, q, kv, spec, kept_segments(step), own);
      // The queries have been used: the rows behind them take their place.
      const Rows picked = buffers_->qkv.rows(kept, mixed.width);
      ops::gather(backend_, mixed, step.needed, picked);
      mixed = picked;
    }
    mixed.count = kept;
  } else {
    ops::attention(backend_, q, kv, spec, step.segments, own);
  }
  const Rows out = buffers_->delta.rows(mixed.count, d.width);
  if (out.count > 0) ops::linear(backend_, mixed, layer.o, out);
  return out;
}

void Model::dense_mlp(
    const ops::Linear& gate_up, const ops::Linear& down, bool gated, Rows x, Rows out) {
  const Rows wide = buffers_->wide.rows(x.count, gate_up.rows);
  if (!gated) {
    ops::linear(backend_, x, gate_up, wide);
    backend_.activate(wide, descriptor_.activation);
    ops::linear(backend_, wide, down, out);
    return;
  }
  const Rows inner = buffers_->inner.rows(x.count, gate_up.rows / 2);
  ops::linear_glu(backend_, x, gate_up, descriptor_.glu, wide, inner);
  ops::linear(backend_, inner, down, out);
}

void Model::moe_block(const Layer& layer, Rows x, Rows out) {
  const MoeSettings& m = descriptor_.moe;
  const Experts& e = *layer.experts;
  const Rows scores = buffers_->scores.rows(x.count, m.experts);
  ops::linear(backend_, x, e.router, scores);
  std::vector<int32_t>& ids = buffers_->expert_ids;
  std::vector<float>& weights = buffers_->expert_weights;
  ids.resize(x.count * m.chosen);
  weights.resize(ids.size());
  backend_.route(scores, e.route, ids, weights);
  if (m.shared_width > 0) {
    dense_mlp(e.shared_gate_up, e.shared_down, /*gated=*/true, x, out);
    if (m.shared_gate) {
      const Rows gate = buffers_->scores.rows(x.count, 1);
      ops::linear(backend_, x, e.shared_gate, gate);
      backend_.sigmoid_scale(out, gate);
    }
  } else {
    ops::zero(backend_, out);
  }
  backend_.experts(x, ids, weights, e.weights, descriptor_.glu, out);
}

void Model::mlp_block(const Layer& layer, Rows x, Rows out) {
  if (layer.experts != nullptr) {
    moe_block(layer, x, out);
  } else {
    dense_mlp(layer.gate_up, layer.down, descriptor_.gated_mlp, x, out);
  }
}

// h through a layer; only the needed rows of it if keeps_some.
Rows Model::layer_block(int64_t index, const Step& step, KvPages& kv, Rows h) {
  const Descriptor& d = descriptor_;
  const Layer& layer = layers_[kv_layer(index)];
  const auto scale = static_cast<float>(d.residual_scale);
  const auto normed = [&](const Norm& norm) {
    if (!norm.present) return h;
    const Rows x = d.residual_from_norm ? h : buffers_->normed.rows(h.count, d.width);
    ops::norm(backend_, h, norm.spec, x);
    return x;
  };
  Rows input = normed(layer.attention_norm);
  const Rows y = attention_block(layer, index, step, input, kv);
  if (keeps_some(index, step)) {
    const Rows kept = buffers_->needed.rows(y.count, d.width);
    if (kept.count == 0) return kept;
    ops::gather(backend_, h, step.needed, kept);
    if (d.parallel && d.parallel_shared_norm && input.data != h.data) {
      const Rows picked = buffers_->qkv.rows(kept.count, d.width);
      ops::gather(backend_, input, step.needed, picked);
      input = picked;
    } else {
      input = kept;
    }
    h = kept;
  }
  const auto add = [&](const Norm& post) {
    if (post.present) ops::norm(backend_, y, post.spec, y);
    ops::add(backend_, h, y, scale);
  };
  if (d.parallel) {
    // h may change only after both branches have read it.
    const Rows branch = buffers_->branch.rows(h.count, d.width);
    mlp_block(layer, d.parallel_shared_norm ? input : normed(layer.mlp_norm), branch);
    ops::add(backend_, h, y, scale);
    ops::add(backend_, h, branch, scale);
    return h;
  }
  add(layer.attention_post_norm);
  mlp_block(layer, normed(layer.mlp_norm), y);
  add(layer.mlp_post_norm);
  return h;
}

// What the first layer of this model reads of the host: positions, or rows of the layers before.
void Model::take_in(const Step& step, std::span<const float> arriving, Rows h) {
  if (!has_first()) {
    KEJU_CHECK(static_cast<int64_t>(arriving.size()) == (h.count - step.padding) * h.stride,
               "a stage takes in as many rows as the one before it returned");
    backend_.upload(arriving.data(), static_cast<int64_t>(arriving.size()), h.data);
    return;
  }
  if (positions_ == nullptr) return;
  std::vector<int32_t>& positions = buffers_->positions;
  positions.clear();
  for (const Segment& s : step.segments) {
    for (int32_t i = 0; i < s.rows; ++i) positions.push_back(s.pos0 + i);
  }
  positions.resize(step.ids.size(), 0);
}

// The rows that the first layer of this model reads.
void Model::begin(const Step& step, Rows h) {
  if (!has_first()) return;
  ops::embed(backend_, *embedding_, step.ids, static_cast<float>(descriptor_.embedding_scale), h);
  if (positions_ != nullptr) ops::add_rows(backend_, *positions_, buffers_->positions, h);
  if (embedding_norm_.present) ops::norm(backend_, h, embedding_norm_.spec, h);
}

void Model::reserve(int64_t rows) { buffers_->least_rows = rows; }

Rows Model::forward(const Step& step, KvPages& kv, std::span<const float> arriving) {
  const Rows h = buffers_->hidden.rows(static_cast<int64_t>(step.ids.size()), descriptor_.width);
  take_in(step, arriving, h);
  return run(step, kv, h);
}

Rows Model::run(const Step& step, KvPages& kv, Rows h) {
  const Descriptor& d = descriptor_;
  begin(step, h);
  for (int64_t l = range_.first; l < range_.last; ++l) h = layer_block(l, step, kv, h);
  if (!has_last()) return h;

  const Rows out = buffers_->needed.rows(h.count, d.width);
  if (out.count == 0) return out;
  if (final_norm_.present) {
    ops::norm(backend_, h, final_norm_.spec, out);
  } else if (out.data != h.data) {
    ops::gather(backend_, h, step.needed, out);
  }
  return out;
}

HeadSpec Model::head_spec() const {
  HeadSpec spec;
  spec.scale = static_cast<float>(descriptor_.logit_scale);
  spec.softcap = static_cast<float>(descriptor_.logit_softcap);
  spec.bias = head_bias_.get();
  return spec;
}

std::vector<HeadRow> Model::head(Rows hidden,
                                 std::span<const std::vector<int32_t>> wanted,
                                 int top) {
  HeadSpec spec = head_spec();
  spec.top = top;
  if (static_cast<int64_t>(wanted.size()) != hidden.count) {
    throw fail(
        Code::kShape, "head: lists of wanted ids: found {}, need {}", wanted.size(), hidden.count);
  }
  return backend_.head(hidden, vocabulary(), spec, wanted);
}

void Model::sample(Rows hidden, std::span<const SampleRule> rules, std::span<int32_t> ids) {
  backend_.sample(hidden, vocabulary(), head_spec(), rules, ids);
}

void Model::logits(Rows hidden, float* host) {
  backend_.logits(hidden, vocabulary(), head_spec(), host);
}

}  // namespace keju
