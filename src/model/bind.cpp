// SPDX-License-Identifier: MIT
#include <utility>

#include "base/error.h"
#include "model/family.h"
#include "model/table_binder.h"

namespace keju {

std::string at_layer(std::string pattern, int64_t number) {
  const size_t hole = pattern.find("{}");
  KEJU_CHECK(hole != std::string::npos, "a layer's tensor pattern without {}: " + pattern);
  return pattern.replace(hole, 2, std::to_string(number));
}

void append(LinearSource& to, LinearSource more) {
  to.parts.insert(to.parts.end(), more.parts.begin(), more.parts.end());
  to.bias.insert(to.bias.end(), more.bias.begin(), more.bias.end());
}

void TableBinder::all() {
  out_.embedding = binder_.matrix(names_.embedding + ".weight", d_.vocab, d_.width);
  if (d_.learned_positions) {
    out_.positions = binder_.matrix(names_.positions + ".weight", d_.context_length, d_.width);
  }
  if (d_.embedding_norm) out_.embedding_norm = norm(names_.embedding_norm, d_.width);
  if (d_.final_norm) out_.final_norm = norm(names_.final_norm, d_.width);
  head();
  out_.layers.resize(static_cast<size_t>(d_.layers));
  for (int64_t l = 0; l < d_.layers; ++l) layer(l);
  for (const std::string& suffix : names_.ignored_suffixes) binder_.ignore_suffix(suffix);
  for (const std::string& prefix : names_.ignored_prefixes) binder_.ignore_prefix(prefix);
}

NormSource TableBinder::norm(const std::string& name, int64_t size) {
  if (name.empty()) return {};
  NormSource source;
  source.present = true;
  source.weight = binder_.vector(name + ".weight", size);
  if (d_.norm_bias) source.bias = binder_.vector(name + ".bias", size);
  return source;
}

NormSource TableBinder::layer_norm(const std::string& pattern, int64_t l) {
  return pattern.empty() ? NormSource{} : norm(at_layer(pattern, l), d_.width);
}

MatrixSource TableBinder::weight(const std::string& name, int64_t rows, int64_t cols) {
  return names_.conv1d ? binder_.transposed(name + ".weight", rows, cols)
                       : binder_.matrix(name + ".weight", rows, cols);
}

LinearSource TableBinder::linear(const std::string& name, int64_t rows, int64_t cols, bool bias) {
  LinearSource source;
  source.parts = {weight(name, rows, cols)};
  if (bias) source.bias = binder_.vector(name + ".bias", rows);
  return source;
}

void TableBinder::head() {
  const std::string name = names_.head + ".weight";
  const std::string embedding = names_.embedding + ".weight";
  // A head that the configuration calls tied may be written out a second time. Where its values
  // differ it was trained apart, and counts, as in transformers 5.
  const bool stored = !d_.tied_head || (binder_.has(name) && !binder_.same(name, embedding));
  if (d_.tied_head && !stored) binder_.ignore(name);
  if (stored) {
    MatrixSource rows = binder_.matrix(name, d_.vocab, d_.width);
    out_.head.parts = {d_.normalised_head ? binder_.normalised(rows) : rows};
  } else if (d_.normalised_head) {
    out_.head.parts = {binder_.normalised(out_.embedding)};
  }
  if (d_.head_bias) out_.head.bias = binder_.vector(names_.head + ".bias", d_.vocab);
}

void TableBinder::layer(int64_t l) {
  LayerSources& s = out_.layers[l];
  s.attention_norm = layer_norm(names_.attention_norm, l);
  s.attention_post_norm = layer_norm(names_.attention_post_norm, l);
  s.mlp_norm = layer_norm(names_.mlp_norm, l);
  s.mlp_post_norm = layer_norm(names_.mlp_post_norm, l);
  if (d_.mla.kv_rank > 0) {
    mla(l, s);
  } else {
    qkv(l, s);
  }
  s.o = linear(at_layer(names_.o, l), d_.width, d_.heads * d_.v_size, d_.o_bias);
  qk_norms(l, s);
  if (d_.attention_sinks) s.sinks = binder_.vector(at_layer(names_.sinks, l), d_.heads);
  if (d_.layer[l].moe) {
    moe(l, s);
  } else {
    dense(l, s);
  }
}

namespace {

// The family's names as this checkpoint spells them, told by where its embedding stands.
TensorNames spelt(const TensorNames& names, const Descriptor& descriptor, const Binder& binder) {
  TensorNames base = names, inside = names, within = names;
  strip_base_prefix(base);
  std::vector<const TensorNames*> spellings = {&names, &base};
  if (!descriptor.left_aside.empty()) {
    prefix_all(inside, "language_model.");
    replace_base_prefix(within, "model.language_model.");
    spellings.insert(spellings.end(), {&inside, &within});
  }
  for (const TensorNames* spelling : spellings) {
    if (binder.has(spelling->embedding + ".weight")) return *spelling;
  }
  return names;
}

}  // namespace

ModelSources bind(const Family& family,
                  const Descriptor& descriptor,
                  const Checkpoint& checkpoint) {
  ModelSources sources;
  Binder binder(checkpoint, checkpoint.root().string(), sources);
  TensorNames names = family.names(descriptor);
  if (binder.gguf()) {
    names = gguf_names(names);
    if (family.adjust_gguf_names != nullptr) family.adjust_gguf_names(descriptor, names);
    for (const char* read_by_describe :
         {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}) {
      binder.ignore(read_by_describe);
    }
  } else {
    names = spelt(names, descriptor, binder);
    for (const StoredTensor& tensor : checkpoint.tensors()) {
      if (descriptor.leaves_aside(tensor.name)) binder.ignore(tensor.name);
    }
  }
  TableBinder(descriptor, names, binder, sources).all();
  binder.finish();
  return sources;
}

}  // namespace keju
