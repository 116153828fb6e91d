// SPDX-License-Identifier: MIT
// Puts a checkpoint's weights onto a backend.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/exact_math.h"
#include "model/model_parts.h"

namespace keju {
namespace {

// Slopes of ALiBi (Press et al. 2022, arXiv:2108.12409): geometric for a power of two heads; for
// other counts the rest comes from the odd powers of the next larger one.
std::vector<float> alibi_slopes(int64_t heads, double max_bias) {
  int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<float> slopes;
  const auto slope = [&](double base_heads, int64_t exponent) {
    return static_cast<float>(
        exact_pow(2.0, -max_bias / base_heads * static_cast<double>(exponent)));
  };
  for (int64_t h = 0; h < heads; ++h) {
    slopes.push_back(h < power ? slope(static_cast<double>(power), h + 1)
                               : slope(static_cast<double>(2 * power), 2 * (h - power) + 1));
  }
  return slopes;
}

bool can_join(const MatrixSource& a, const MatrixSource& b) {
  return a.dtype == b.dtype && a.cols == b.cols;
}

}  // namespace

Model::Model(std::shared_ptr<const Checkpoint> checkpoint, Backend& backend)
    : checkpoint_(std::move(checkpoint)), backend_(backend) {}

std::unique_ptr<Model> Model::load(std::shared_ptr<const Checkpoint> checkpoint,
                                   Backend& backend,
                                   LayerRange range) {
  const Family& family = family_of(*checkpoint);
  std::unique_ptr<Model> model(new Model(checkpoint, backend));
  model->descriptor_ = describe(family, *checkpoint);
  if (range.last < 0) range.last = model->descriptor_.layers;
  KEJU_CHECK(
      range.first >= 0 && range.first < range.last && range.last <= model->descriptor_.layers,
      "layers out of range");
  model->range_ = range;
  model->upload(bind(family, model->descriptor_, *checkpoint));
  model->buffers_ = std::make_unique<Buffers>(backend);
  const auto& layers = model->descriptor_.layer;
  model->repeats_steps_ =
      backend.facts().graphs == "on" &&
      std::none_of(layers.begin(), layers.end(), [](const LayerSettings& l) { return l.moe; });
  for (const StoredTensor& tensor : checkpoint->tensors()) {
    if (!model->descriptor_.leaves_aside(tensor.name)) model->parameters_ += elements(tensor.shape);
  }
  return model;
}

// Parts of one storage type are joined into one matrix: fewer, larger multiplications.
ops::Linear Model::make_linear(const LinearSource& source) {
  ops::Linear linear;
  for (size_t i = 0; i < source.parts.size();) {
    MatrixSource joined = source.parts[i];
    size_t next = i + 1;
    for (; next < source.parts.size() && can_join(joined, source.parts[next]); ++next) {
      joined = join_rows({joined, source.parts[next]});
    }
    ops::Linear::Part part;
    part.offset = linear.rows;
    part.matrix = backend_.make_matrix(joined);
    if (!source.bias.empty()) {
      part.bias =
          backend_.make_vector(std::span(source.bias).subspan(part.offset, part.matrix->rows));
    }
    linear.cols = joined.cols;
    linear.rows += part.matrix->rows;
    linear.parts.push_back(std::move(part));
    i = next;
  }
  return linear;
}

Model::Norm Model::make_norm(NormSource source) {
  Norm norm;
  norm.present = source.present;
  if (!source.present) return norm;
  if (!source.weight.empty()) norm.weight = backend_.make_vector(source.weight);
  if (!source.bias.empty()) norm.bias = backend_.make_vector(source.bias);
  norm.spec = {.kind = descriptor_.norm,
               .weight = norm.weight.get(),
               .bias = norm.bias.get(),
               .eps = static_cast<float>(descriptor_.norm_eps),
               .one_plus_weight = descriptor_.norm_one_plus};
  return norm;
}

Model::Layer Model::make_layer(LayerSources s, int64_t index) {
  Layer layer;
  layer.attention_norm = make_norm(std::move(s.attention_norm));
  layer.attention_post_norm = make_norm(std::move(s.attention_post_norm));
  layer.mlp_norm = make_norm(std::move(s.mlp_norm));
  layer.mlp_post_norm = make_norm(std::move(s.mlp_post_norm));
  const auto vector = [&](const std::vector<float>& values) {
    return values.empty() ? nullptr : backend_.make_vector(values);
  };
  layer.q_norm = vector(s.q_norm);
  layer.k_norm = vector(s.k_norm);
  layer.sinks = vector(s.sinks);
  layer.qkv = make_linear(s.qkv);
  layer.o = make_linear(s.o);
  if (descriptor_.mla.kv_rank > 0) {
    layer.mla = std::make_unique<Mla>();
    layer.mla->q_a = make_linear(s.q_a);
    layer.mla->q_b = make_linear(s.q_b);
    layer.mla->kv_a = make_linear(s.kv_a);
    layer.mla->kv_b = make_linear(s.kv_b);
    layer.mla->q_a_norm = make_norm({s.q_a_norm, {}, !s.q_a_norm.empty()});
    layer.mla->kv_a_norm = make_norm({s.kv_a_norm, {}, !s.kv_a_norm.empty()});
    for (Norm* norm : {&layer.mla->q_a_norm, &layer.mla->kv_a_norm}) {
      norm->spec.eps = static_cast<float>(descriptor_.mla.norm_eps);
    }
  }
  if (!descriptor_.layer[index].moe) {
    layer.gate_up = make_linear(s.gate_up);
    layer.down = make_linear(s.down);
    return layer;
  }
  layer.experts = std::make_unique<Experts>();
  Experts& e = *layer.experts;
  e.router = make_linear(s.router);
  e.shared_gate_up = make_linear(s.shared_gate_up);
  e.shared_down = make_linear(s.shared_down);
  e.shared_gate = make_linear(s.shared_gate);
  e.correction = vector(s.router_correction);
  e.route = descriptor_.moe.route;
  e.route.experts = descriptor_.moe.experts;
  e.route.chosen = descriptor_.moe.chosen;
  e.route.correction = e.correction.get();
  const auto expert = [&](const LinearSource& source,
                          std::vector<const Matrix*>& matrices,
                          std::vector<const Vector*>& biases) {
    for (size_t i = 1; i < source.parts.size(); ++i) {
      if (!can_join(source.parts[0], source.parts[i])) {
        throw fail(Code::kUnsupported,
                   "experts: gate and up: found types {} and {}, need one type",
                   name(source.parts[0].dtype),
                   name(source.parts[i].dtype));
      }
    }
    e.matrices.push_back(backend_.make_matrix(join_rows(source.parts)));
    matrices.push_back(e.matrices.back().get());
    if (!source.bias.empty()) {
      e.biases.push_back(backend_.make_vector(source.bias));
      biases.push_back(e.biases.back().get());
    }
  };
  for (const LinearSource& source : s.expert_gate_up)
    expert(source, e.weights.gate_up, e.weights.gate_up_bias);
  for (const LinearSource& source : s.expert_down)
    expert(source, e.weights.down, e.weights.down_bias);
  return layer;
}

void Model::upload(ModelSources sources) {
  // What a backend has packed need not stay resident as pages of the file too.
  const auto drop_read_pages = [&] {
    for (const StoredTensor& tensor : checkpoint_->tensors()) checkpoint_->drop_pages(tensor);
  };
  const bool tied = sources.head.parts.empty();
  if (has_first() || (has_last() && tied)) embedding_ = backend_.make_matrix(sources.embedding);
  drop_read_pages();
  if (has_first()) {
    if (descriptor_.learned_positions) positions_ = backend_.make_matrix(sources.positions);
    embedding_norm_ = make_norm(std::move(sources.embedding_norm));
  }
  if (has_last()) {
    final_norm_ = make_norm(std::move(sources.final_norm));
    if (!tied) head_ = backend_.make_matrix(join_rows(sources.head.parts));
    if (!sources.head.bias.empty()) head_bias_ = backend_.make_vector(sources.head.bias);
  }
  if (descriptor_.alibi)
    alibi_ = backend_.make_vector(alibi_slopes(descriptor_.heads, descriptor_.alibi_max_bias));
  for (int64_t l = range_.first; l < range_.last; ++l) {
    layers_.push_back(make_layer(std::move(sources.layers[l]), l));
    drop_read_pages();
  }
  owned_rows_ = std::move(sources.owned);
}

int64_t Model::resident_bytes() const {
  int64_t bytes = embedding_ != nullptr ? embedding_->resident_bytes : 0;
  if (positions_ != nullptr) bytes += positions_->resident_bytes;
  if (head_ != nullptr) bytes += head_->resident_bytes;
  for (const Layer& layer : layers_) {
    bytes += layer.qkv.resident_bytes() + layer.o.resident_bytes() +
             layer.gate_up.resident_bytes() + layer.down.resident_bytes();
    if (layer.mla != nullptr) {
      bytes += layer.mla->q_a.resident_bytes() + layer.mla->q_b.resident_bytes() +
               layer.mla->kv_a.resident_bytes() + layer.mla->kv_b.resident_bytes();
    }
    if (layer.experts == nullptr) continue;
    const Experts& e = *layer.experts;
    bytes += e.router.resident_bytes() + e.shared_gate_up.resident_bytes() +
             e.shared_down.resident_bytes();
    for (const auto& matrix : e.matrices) bytes += matrix->resident_bytes;
  }
  return bytes;
}

}  // namespace keju
