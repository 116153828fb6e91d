// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "model/table_binder.h"

namespace keju {

void TableBinder::qk_norms(int64_t l, LayerSources& s) {
  if (d_.qk_norm == HeadNormSpec::Scope::kNone) return;
  const std::string q = at_layer(names_.q_norm, l) + ".weight";
  const std::string k = at_layer(names_.k_norm, l) + ".weight";
  // Cohere normalises each head with weights of its own; those span all heads too.
  const bool wide = d_.qk_norm == HeadNormSpec::Scope::kRow || d_.qk_norm_kind == NormKind::kLayer;
  s.q_norm = wide ? flat(q, d_.heads) : binder_.vector(q, d_.k_size);
  s.k_norm = wide ? flat(k, d_.kv_heads) : binder_.vector(k, d_.k_size);
}

// heads·E values, stored flat (weights over the row) or as [heads, E] (weights of each head).
std::vector<float> TableBinder::flat(const std::string& name, int64_t heads) {
  if (d_.qk_norm == HeadNormSpec::Scope::kRow) return binder_.vector(name, heads * d_.k_size);
  std::vector<float> all;
  for (const auto& row : binder_.vectors(name, heads, d_.k_size)) {
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

void TableBinder::qkv(int64_t l, LayerSources& s) {
  const bool fused = names_.layout != QkvLayout::kSeparate &&
                     (names_.q.empty() || binder_.has(at_layer(names_.qkv, l) + ".weight"));
  if (fused) {
    fused_qkv(l, s);
  } else {
    const int64_t kv_rows = d_.kv_heads * d_.k_size;
    append(s.qkv, linear(at_layer(names_.q, l), d_.heads * d_.k_size, d_.width, d_.qkv_bias));
    append(s.qkv, linear(at_layer(names_.k, l), kv_rows, d_.width, d_.qkv_bias));
    append(s.qkv, linear(at_layer(names_.v, l), d_.kv_heads * d_.v_size, d_.width, d_.qkv_bias));
  }
  if (names_.permuted_qk) unpermute(s.qkv);
}

void TableBinder::fused_qkv(int64_t l, LayerSources& s) {
  const int64_t rows = (d_.heads + d_.kv_heads) * d_.k_size + d_.kv_heads * d_.v_size;
  const LinearSource all = linear(at_layer(names_.qkv, l), rows, d_.width, d_.qkv_bias);
  Ranges q;
  Ranges k;
  Ranges v;
  ranges(names_.layout, q, k, v);
  for (const Ranges* part : {&q, &k, &v}) {
    std::vector<MatrixSource> pieces;
    for (const auto& [begin, count] : *part) {
      pieces.push_back(slice_rows(all.parts[0], begin, count));
      if (!d_.qkv_bias) continue;
      const auto first = all.bias.begin() + begin;
      s.qkv.bias.insert(s.qkv.bias.end(), first, first + count);
    }
    s.qkv.parts.push_back(join_rows(pieces));
  }
}

void TableBinder::ranges(QkvLayout layout, Ranges& q, Ranges& k, Ranges& v) const {
  const int64_t e = d_.k_size;
  const int64_t group = d_.heads / d_.kv_heads;
  switch (layout) {
    case QkvLayout::kSeparate:
      KEJU_CHECK(false, "a fused tensor of separate parts");
      break;
    case QkvLayout::kStacked:
      q = {{0, d_.heads * e}};
      k = {{d_.heads * e, d_.kv_heads * e}};
      v = {{(d_.heads + d_.kv_heads) * e, d_.kv_heads * d_.v_size}};
      break;
    case QkvLayout::kGrouped:
      for (int64_t g = 0; g < d_.kv_heads; ++g) {
        const int64_t at = g * (group + 2) * e;
        q.emplace_back(at, group * e);
        k.emplace_back(at + group * e, e);
        v.emplace_back(at + (group + 1) * e, e);
      }
      break;
    case QkvLayout::kPerHead:
      for (int64_t h = 0; h < d_.heads; ++h) {
        q.emplace_back(3 * h * e, e);
        k.emplace_back((3 * h + 1) * e, e);
        v.emplace_back((3 * h + 2) * e, e);
      }
      break;
    case QkvLayout::kMossBlocks: {
      constexpr int64_t kBlocks = 4;
      const int64_t part = d_.heads * e / kBlocks;
      for (int64_t b = 0; b < kBlocks; ++b) {
        q.emplace_back(3 * b * part, part);
        v.emplace_back((3 * b + 1) * part, part);
        k.emplace_back((3 * b + 2) * part, part);
      }
      break;
    }
  }
}

// Puts rows of q and k from the order of consecutive pairs (0, E/2, 1, E/2 + 1, …) back into that
// of halves. Nothing is copied, and the model has the same bits as from the original checkpoint.
void TableBinder::unpermute(LinearSource& qkv) const {
  const int64_t half = d_.k_size / 2;
  int64_t row = 0;
  for (size_t part = 0; part < 2; ++part) {
    std::vector<MatrixSource> pieces;
    std::vector<float> bias;
    for (int64_t h = 0; h < (part == 0 ? d_.heads : d_.kv_heads); ++h, row += d_.k_size) {
      for (int64_t first = 0; first < 2; ++first) {
        pieces.push_back(every_row(qkv.parts[part], h * d_.k_size + first, half, 2));
        for (int64_t i = 0; i < half && !qkv.bias.empty(); ++i) {
          bias.push_back(qkv.bias[row + first + 2 * i]);
        }
      }
    }
    std::copy(bias.begin(), bias.end(), qkv.bias.begin() + row - static_cast<int64_t>(bias.size()));
    qkv.parts[part] = join_rows(pieces);
  }
}

void TableBinder::mla(int64_t l, LayerSources& s) {
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
  if (!names_.k_b.empty() && binder_.has(at_layer(names_.k_b, l) + ".weight")) {
    s.kv_b.parts = {joined_kv_b(l)};
  } else {
    s.kv_b = linear(at_layer(names_.kv_b, l), d_.heads * (m.nope + m.value), m.kv_rank, false);
  }
}

// Keys' and values' halves, stored apart and keys turned ([H, rank, nope]), per head k then v.
MatrixSource TableBinder::joined_kv_b(int64_t l) {
  const MlaSettings& m = d_.mla;
  const auto keys =
      binder_.transposed_stack(at_layer(names_.k_b, l) + ".weight", d_.heads, m.nope, m.kv_rank);
  const auto values =
      binder_.stack(at_layer(names_.v_b, l) + ".weight", d_.heads, m.value, m.kv_rank);
  std::vector<MatrixSource> all;
  for (int64_t h = 0; h < d_.heads; ++h) {
    all.push_back(keys[h]);
    all.push_back(binder_.widened(values[h]));
  }
  return join_rows(all);
}

}  // namespace keju
