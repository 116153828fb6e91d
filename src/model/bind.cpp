// SPDX-License-Identifier: MIT
// Follows a family's table of names over a checkpoint and fills ModelSources.

#include <algorithm>

#include "base/error.h"
#include "model/family.h"

namespace keju {
namespace {

std::string at_layer(std::string pattern, int64_t layer) {
  const size_t hole = pattern.find("{}");
  KEJU_CHECK(hole != std::string::npos, "a layer's tensor pattern without {}: " + pattern);
  return pattern.replace(hole, 2, std::to_string(layer));
}

class TableBinder {
 public:
  TableBinder(const Descriptor& d, const TensorNames& names, Binder& binder, ModelSources& out)
      : d_(d), names_(names), binder_(binder), out_(out) {}

  void all() {
    out_.embedding = binder_.matrix(names_.embedding + ".weight", d_.vocab, d_.width);
    if (d_.learned_positions) {
      out_.positions = binder_.matrix(names_.positions + ".weight",
                                      d_.context_length + d_.learned_positions_offset, d_.width);
    }
    if (d_.embedding_norm) out_.embedding_norm = norm(names_.embedding_norm, d_.width);
    if (d_.final_norm) out_.final_norm = norm(names_.final_norm, d_.width);
    head();
    out_.layers.resize(d_.layers);
    for (int64_t l = 0; l < d_.layers; ++l) layer(l);
    for (const std::string& suffix : names_.ignored_suffixes) binder_.ignore_suffix(suffix);
  }

 private:
  NormSource norm(const std::string& name, int64_t size) {
    if (name.empty()) return {};
    NormSource source;
    source.present = true;
    source.weight = binder_.vector(name + ".weight", size);
    if (d_.norm_bias) source.bias = binder_.vector(name + ".bias", size);
    return source;
  }

  NormSource layer_norm(const std::string& pattern, int64_t l) {
    return pattern.empty() ? NormSource{} : norm(at_layer(pattern, l), d_.width);
  }

  MatrixSource weight(const std::string& name, int64_t rows, int64_t cols) {
    return names_.conv1d && !binder_.gguf() ? binder_.transposed(name + ".weight", rows, cols)
                                            : binder_.matrix(name + ".weight", rows, cols);
  }

  LinearSource linear(const std::string& name, int64_t rows, int64_t cols, bool bias) {
    LinearSource source;
    source.parts = {weight(name, rows, cols)};
    if (bias) source.bias = binder_.vector(name + ".bias", rows);
    return source;
  }

  void append(LinearSource& to, LinearSource more) {
    to.parts.insert(to.parts.end(), more.parts.begin(), more.parts.end());
    to.bias.insert(to.bias.end(), more.bias.begin(), more.bias.end());
  }

  void head() {
    const std::string name = names_.head + ".weight";
    if (d_.tied_head) {
      // Some exporters write the tied head out a second time; it must then have the right shape.
      if (binder_.has(name)) (void)binder_.matrix(name, d_.vocab, d_.width);
    } else {
      out_.head = linear_plain(names_.head, d_.vocab, d_.width);
    }
    if (d_.head_bias) out_.head.bias = binder_.vector(names_.head + ".bias", d_.vocab);
  }

  LinearSource linear_plain(const std::string& name, int64_t rows, int64_t cols) {
    LinearSource source;
    source.parts = {binder_.matrix(name + ".weight", rows, cols)};
    return source;
  }

  void layer(int64_t l) {
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
    if (d_.attention_sinks) s.sinks = binder_.vector(at_layer(names_.sinks, l) + (binder_.gguf() ? ".weight" : ""), d_.heads);
    if (d_.layer[l].moe) {
      moe(l, s);
    } else {
      dense(l, s);
    }
  }

  void qk_norms(int64_t l, LayerSources& s) {
    if (d_.qk_norm == HeadNormSpec::Scope::kNone) return;
    const bool row = d_.qk_norm == HeadNormSpec::Scope::kRow;
    // Cohere normalises each head with weights of its own; those span all heads too.
    const std::string q = at_layer(names_.q_norm, l) + ".weight";
    const std::string k = at_layer(names_.k_norm, l) + ".weight";
    const bool wide = row || d_.qk_norm_kind == NormKind::kLayer;
    s.q_norm = wide ? flat(q, d_.heads) : binder_.vector(q, d_.k_size);
    s.k_norm = wide ? flat(k, d_.kv_heads) : binder_.vector(k, d_.k_size);
  }

  // heads·E values, stored flat or as [heads, E].
  std::vector<float> flat(const std::string& name, int64_t heads) {
    if (d_.qk_norm != HeadNormSpec::Scope::kRow && !binder_.gguf()) {
      std::vector<float> all;
      for (const auto& row : binder_.vectors(name, heads, d_.k_size)) all.insert(all.end(), row.begin(), row.end());
      return all;
    }
    return binder_.vector(name, heads * d_.k_size);
  }

  void qkv(int64_t l, LayerSources& s) {
    const int64_t q_rows = d_.heads * d_.k_size, k_rows = d_.kv_heads * d_.k_size, v_rows = d_.kv_heads * d_.v_size;
    const bool fused = binder_.gguf() ? binder_.has(at_layer(names_.qkv, l) + ".weight")
                                      : names_.layout != QkvLayout::kSeparate;
    if (!fused) {
      append(s.qkv, linear(at_layer(names_.q, l), q_rows, d_.width, d_.qkv_bias));
      append(s.qkv, linear(at_layer(names_.k, l), k_rows, d_.width, d_.qkv_bias));
      append(s.qkv, linear(at_layer(names_.v, l), v_rows, d_.width, d_.qkv_bias));
      return;
    }
    const LinearSource all = linear(at_layer(names_.qkv, l), q_rows + k_rows + v_rows, d_.width, d_.qkv_bias);
    const QkvLayout layout = binder_.gguf() ? QkvLayout::kStacked : names_.layout;
    std::vector<std::pair<int64_t, int64_t>> q, k, v;  // row ranges of the fused tensor
    ranges(layout, q, k, v);
    for (const auto* part : {&q, &k, &v}) {
      std::vector<MatrixSource> pieces;
      for (const auto& [begin, count] : *part) {
        pieces.push_back(slice_rows(all.parts[0], begin, count));
        if (d_.qkv_bias) s.qkv.bias.insert(s.qkv.bias.end(), all.bias.begin() + begin, all.bias.begin() + begin + count);
      }
      s.qkv.parts.push_back(join_rows(pieces));
    }
  }

  using Ranges = std::vector<std::pair<int64_t, int64_t>>;
  void ranges(QkvLayout layout, Ranges& q, Ranges& k, Ranges& v) const {
    const int64_t e = d_.k_size, group = d_.heads / d_.kv_heads;
    if (layout == QkvLayout::kStacked) {
      q = {{0, d_.heads * e}};
      k = {{d_.heads * e, d_.kv_heads * e}};
      v = {{(d_.heads + d_.kv_heads) * e, d_.kv_heads * d_.v_size}};
    } else if (layout == QkvLayout::kGrouped) {
      for (int64_t g = 0; g < d_.kv_heads; ++g) {
        const int64_t at = g * (group + 2) * e;
        q.push_back({at, group * e});
        k.push_back({at + group * e, e});
        v.push_back({at + (group + 1) * e, e});
      }
    } else if (layout == QkvLayout::kPerHead) {
      for (int64_t h = 0; h < d_.heads; ++h) {
        q.push_back({3 * h * e, e});
        k.push_back({(3 * h + 1) * e, e});
        v.push_back({(3 * h + 2) * e, e});
      }
    } else {
      constexpr int64_t kBlocks = 4;
      const int64_t part = d_.heads * e / kBlocks;
      for (int64_t b = 0; b < kBlocks; ++b) {
        q.push_back({3 * b * part, part});
        v.push_back({(3 * b + 1) * part, part});
        k.push_back({(3 * b + 2) * part, part});
      }
    }
  }

  void mla(int64_t l, LayerSources& s) {
    const MlaSettings& m = d_.mla;
    const int64_t q_rows = d_.heads * (m.nope + m.rope);
    if (m.q_rank > 0) {
      s.q_a = linear(at_layer(names_.q_a, l), m.q_rank, d_.width, d_.qkv_bias);
      s.q_a_norm = binder_.vector(at_layer(names_.q_a_norm, l) + ".weight", m.q_rank);
      s.q_b = linear(at_layer(names_.q_b, l), q_rows, m.q_rank, false);
    } else {
      s.q_b = linear(at_layer(names_.q, l), q_rows, d_.width, false);
    }
    s.kv_a = linear(at_layer(names_.kv_a, l), m.kv_rank + m.rope, d_.width, d_.qkv_bias);
    s.kv_a_norm = binder_.vector(at_layer(names_.kv_a_norm, l) + ".weight", m.kv_rank);
    s.kv_b = linear(at_layer(names_.kv_b, l), d_.heads * (m.nope + m.value), m.kv_rank, false);
  }

  void dense(int64_t l, LayerSources& s) {
    if (d_.gated_mlp) {
      gated(l, s);
    } else {
      s.gate_up = linear(at_layer(names_.up, l), d_.mlp_width, d_.width, d_.mlp_bias);
    }
    s.down = linear(at_layer(names_.down, l), d_.width, d_.mlp_width, d_.mlp_bias);
  }

  void gated(int64_t l, LayerSources& s) {
    // In GGUF a fused gate and up lie under ffn_up's name with twice the rows (Phi-3, ChatGLM).
    const bool fused = binder_.gguf() ? !binder_.has(at_layer(names_.gate, l) + ".weight") : !names_.gate_up.empty();
    if (!fused) {
      append(s.gate_up, linear(at_layer(names_.gate, l), d_.mlp_width, d_.width, d_.mlp_bias));
      append(s.gate_up, linear(at_layer(names_.up, l), d_.mlp_width, d_.width, d_.mlp_bias));
      return;
    }
    const std::string& name = binder_.gguf() ? names_.up : names_.gate_up;
    LinearSource all = linear(at_layer(name, l), 2 * d_.mlp_width, d_.width, d_.mlp_bias);
    if (names_.up_before_gate) {
      all.parts = {slice_rows(all.parts[0], d_.mlp_width, d_.mlp_width), slice_rows(all.parts[0], 0, d_.mlp_width)};
      if (d_.mlp_bias) std::rotate(all.bias.begin(), all.bias.begin() + d_.mlp_width, all.bias.end());
    }
    s.gate_up = std::move(all);
  }

  void moe(int64_t l, LayerSources& s) {
    const MoeSettings& m = d_.moe;
    s.router = linear(at_layer(names_.router, l), m.experts, d_.width, m.router_bias);
    if (!names_.router_correction.empty() && m.route.score == RouteSpec::Score::kSigmoid) {
      s.router_correction = binder_.vector(at_layer(names_.router_correction, l), m.experts);
    }
    if (names_.expert_gate.empty()) {
      stacked_experts(l, s);
    } else {
      for (int64_t e = 0; e < m.experts; ++e) {
        const auto name = [&](const std::string& pattern) { return at_layer(at_layer(pattern, l), e); };
        LinearSource gate_up = linear(name(names_.expert_gate), m.width, d_.width, false);
        append(gate_up, linear(name(names_.expert_up), m.width, d_.width, false));
        s.expert_gate_up.push_back(std::move(gate_up));
        s.expert_down.push_back(linear(name(names_.expert_down), d_.width, m.width, false));
      }
    }
    if (m.shared_width > 0) shared_expert(l, s);
  }

  // All experts of a layer in one tensor [E, rows, cols]: GGUF, and newer transformers checkpoints.
  void stacked_experts(int64_t l, LayerSources& s) {
    const MoeSettings& m = d_.moe;
    if (binder_.gguf()) {
      const auto gate = binder_.stack(at_layer("blk.{}.ffn_gate_exps.weight", l), m.experts, m.width, d_.width);
      const auto up = binder_.stack(at_layer("blk.{}.ffn_up_exps.weight", l), m.experts, m.width, d_.width);
      const auto down = binder_.stack(at_layer("blk.{}.ffn_down_exps.weight", l), m.experts, d_.width, m.width);
      for (int64_t e = 0; e < m.experts; ++e) {
        s.expert_gate_up.push_back({{gate[e], up[e]}, {}});
        s.expert_down.push_back({{down[e]}, {}});
      }
      return;
    }
    const auto gate_up = binder_.stack(at_layer(names_.experts_gate_up, l), m.experts, 2 * m.width, d_.width);
    const auto down = binder_.stack(at_layer(names_.experts_down, l), m.experts, d_.width, m.width);
    for (int64_t e = 0; e < m.experts; ++e) {
      s.expert_gate_up.push_back({{gate_up[e]}, {}});
      s.expert_down.push_back({{down[e]}, {}});
    }
  }

  void shared_expert(int64_t l, LayerSources& s) {
    const int64_t width = d_.moe.shared_width;
    const bool gguf = binder_.gguf();
    const std::string prefix = gguf ? "" : at_layer(names_.shared_gate_up_prefix, l);
    const std::string gate = gguf ? at_layer("blk.{}.ffn_gate_shexp", l) : prefix + ".gate_proj";
    const std::string up = gguf ? at_layer("blk.{}.ffn_up_shexp", l) : prefix + ".up_proj";
    const std::string down = gguf ? at_layer("blk.{}.ffn_down_shexp", l) : prefix + ".down_proj";
    s.shared_gate_up = linear(gate, width, d_.width, false);
    append(s.shared_gate_up, linear(up, width, d_.width, false));
    s.shared_down = linear(down, d_.width, width, false);
    if (d_.moe.shared_gate) s.shared_gate = linear(at_layer(names_.shared_gate, l), 1, d_.width, false);
  }

  const Descriptor& d_;
  const TensorNames& names_;
  Binder& binder_;
  ModelSources& out_;
};

TensorNames gguf_names(const TensorNames& family) {
  TensorNames n;
  n.embedding = "token_embd";
  n.positions = "position_embd";
  n.embedding_norm = "token_embd_norm";
  n.final_norm = "output_norm";
  n.head = "output";
  // A family without a norm in some place has none there in GGUF either.
  const auto if_present = [](const std::string& own, std::string gguf) { return own.empty() ? "" : gguf; };
  n.attention_norm = if_present(family.attention_norm, "blk.{}.attn_norm");
  n.attention_post_norm = if_present(family.attention_post_norm, "blk.{}.post_attention_norm");
  n.mlp_norm = if_present(family.mlp_norm, "blk.{}.ffn_norm");
  n.mlp_post_norm = if_present(family.mlp_post_norm, "blk.{}.post_ffw_norm");
  n.q = "blk.{}.attn_q";
  n.k = "blk.{}.attn_k";
  n.v = "blk.{}.attn_v";
  n.qkv = "blk.{}.attn_qkv";
  n.o = "blk.{}.attn_output";
  n.q_norm = "blk.{}.attn_q_norm";
  n.k_norm = "blk.{}.attn_k_norm";
  n.sinks = "blk.{}.attn_sinks";
  n.gate = "blk.{}.ffn_gate";
  n.up = "blk.{}.ffn_up";
  n.down = "blk.{}.ffn_down";
  n.router = "blk.{}.ffn_gate_inp";
  n.router_correction = family.router_correction.empty() ? "" : "blk.{}.exp_probs_b.bias";
  n.shared_gate = "blk.{}.ffn_gate_inp_shexp";
  n.q_a = "blk.{}.attn_q_a";
  n.q_a_norm = "blk.{}.attn_q_a_norm";
  n.q_b = "blk.{}.attn_q_b";
  n.kv_a = "blk.{}.attn_kv_a_mqa";
  n.kv_a_norm = "blk.{}.attn_kv_a_norm";
  n.kv_b = "blk.{}.attn_kv_b";
  return n;
}

}  // namespace

ModelSources bind(const Family& family, const Descriptor& descriptor, const Checkpoint& checkpoint) {
  ModelSources sources;
  Binder binder(checkpoint, checkpoint.root().string(), sources);
  TensorNames names = family.names(descriptor);
  if (binder.gguf()) {
    names = gguf_names(names);
    binder.ignore("rope_freqs.weight");  // read by describe()
  }
  TableBinder(descriptor, names, binder, sources).all();
  if (family.adjust != nullptr) family.adjust(descriptor, binder, sources);
  binder.finish();
  return sources;
}

}  // namespace keju
