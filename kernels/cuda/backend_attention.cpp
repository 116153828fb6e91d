// SPDX-License-Identifier: MIT
// Attention and what stands before it: the tables of a step and the choice of kernels by role.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/split_items.h"

namespace keju::cuda {
namespace {

constexpr int64_t kLargestHead = 512;  // of attention_general

HeadNormArgs head_norm_args(const HeadNormSpec& spec, int64_t head_size) {
  HeadNormArgs args;
  args.scope = spec.scope;
  args.norm = {spec.norm.kind == NormKind::kLayer,
               spec.norm.weight != nullptr ? spec.norm.weight->data : nullptr,
               spec.norm.bias != nullptr ? spec.norm.bias->data : nullptr,
               spec.norm.eps,
               spec.norm.one_plus_weight};
  args.shared_weight = spec.norm.weight == nullptr || spec.norm.weight->size == head_size;
  return args;
}

int64_t pages_of(const Segment& s) { return (s.pos0 + s.rows - 1) / kPagePositions + 1; }

// What tables are made from, as one list: equal lists mean equal tables.
std::vector<int32_t> key_of(std::span<const Segment> segments, int group) {
  std::vector<int32_t> key{group};
  for (const Segment& s : segments) {
    key.insert(key.end(), {s.row0, s.rows, s.pos0, s.generated ? 1 : 0});
    key.insert(key.end(), s.pages, s.pages + pages_of(s));
  }
  return key;
}

struct HostTables {
  std::vector<int32_t> page_ids;
  std::vector<RowPlace> rows;
  std::vector<Tile> tiles;
  std::vector<SplitItem> items;
  int64_t prompt_rows = 0;
  int64_t splits = 0;
};

void add_rows_of(HostTables& tables, const Segment& s, int32_t pages) {
  for (int32_t i = 0; i < s.rows; ++i) tables.rows.push_back({s.row0 + i, s.pos0 + i, pages});
}

HostTables make_tables(std::span<const Segment> segments, int group) {
  const int rows_per_tile = tile_rows(group);
  HostTables tables;
  for (const bool generated : {false, true}) {
    for (const Segment& s : segments) {
      if (s.generated != generated || s.rows == 0) continue;
      const auto pages = static_cast<int32_t>(tables.page_ids.size());
      tables.page_ids.insert(tables.page_ids.end(), s.pages, s.pages + pages_of(s));
      add_rows_of(tables, s, pages);
      if (generated) {
        tables.splits = std::max<int64_t>(tables.splits, (s.pos0 + s.rows - 1) / kSplit + 1);
        continue;
      }
      tables.prompt_rows += s.rows;
      for (int32_t i = 0; i < s.rows; i += rows_per_tile) {
        tables.tiles.push_back(
            {s.row0 + i, std::min(rows_per_tile, s.rows - i), s.pos0 + i, pages});
      }
    }
  }
  tables.items =
      make_split_items(std::span(tables.rows).subspan(static_cast<size_t>(tables.prompt_rows)),
                       tables.page_ids,
                       item_rows(group));
  return tables;
}

int64_t padded(size_t bytes) { return static_cast<int64_t>((bytes + 15) / 16 * 16); }

}  // namespace

const StepTables& CudaBackend::tables(std::span<const Segment> segments, int group) {
  if (in_step_) return frame_.tables(segments, group);
  std::vector<int32_t> key = key_of(segments, group);
  if (key == tables_key_) return tables_;
  const HostTables host = make_tables(segments, group);
  const size_t id_bytes = host.page_ids.size() * sizeof(int32_t);
  const size_t row_bytes = host.rows.size() * sizeof(RowPlace);
  const size_t tile_bytes = host.tiles.size() * sizeof(Tile);
  const size_t item_bytes = host.items.size() * sizeof(SplitItem);
  const int64_t tiles_at = padded(id_bytes) + padded(row_bytes);
  const int64_t items_at = tiles_at + padded(tile_bytes);
  const int64_t total = items_at + padded(item_bytes);
  std::vector<std::byte> packed(static_cast<size_t>(total));
  std::memcpy(packed.data(), host.page_ids.data(), id_bytes);
  std::memcpy(packed.data() + padded(id_bytes), host.rows.data(), row_bytes);
  if (tile_bytes > 0) std::memcpy(packed.data() + tiles_at, host.tiles.data(), tile_bytes);
  if (item_bytes > 0) std::memcpy(packed.data() + items_at, host.items.data(), item_bytes);

  tables_key_.clear();  // should what follows fail
  if (tables_memory_.bytes() < total) {
    tables_memory_.reset();
    tables_memory_ = Memory(*runtime_, total + total / 2);
  }
  small_ring_.send(tables_memory_.data(), packed.data(), total);
  small_ring_.flush();
  const std::byte* const base = tables_memory_.data();
  StepTables& t = tables_;
  t.page_ids = reinterpret_cast<const int32_t*>(base);
  t.rows = reinterpret_cast<const RowPlace*>(base + padded(id_bytes));
  t.tiles = reinterpret_cast<const Tile*>(base + tiles_at);
  t.items = reinterpret_cast<const SplitItem*>(base + items_at);
  t.prompt_rows = host.prompt_rows;
  t.generated_rows = static_cast<int64_t>(host.rows.size()) - host.prompt_rows;
  t.tile_count = static_cast<int64_t>(host.tiles.size());
  t.item_count = static_cast<int64_t>(host.items.size());
  t.splits = host.splits;
  tables_key_ = std::move(key);
  return t;
}

void CudaBackend::qkv_post(Heads q,
                           Heads k,
                           Heads k_shared,
                           Heads v,
                           const QkvSpec& spec,
                           std::span<const Segment> segments,
                           int64_t layer,
                           KvPages& kv) {
  const PageView to = static_cast<CudaKvPages&>(kv).view(layer);
  const int64_t k_size = k.size + (k_shared.data != nullptr ? k_shared.size : 0);
  KEJU_CHECK(k_size == to.at.k_size && v.size == to.at.v_size && k.heads == to.at.kv_heads,
             "keys and values: shape differs from the pages'");
  const StepTables& t = tables(segments, static_cast<int>(q.heads / k.heads));
  if (t.prompt_rows + t.generated_rows == 0) return;
  QkvArgs args;
  args.q = q;
  args.k = k;
  args.k_shared = k_shared;
  args.v = v;
  args.q_norm = head_norm_args(spec.q_norm, q.size);
  args.k_norm = head_norm_args(spec.k_norm, k_size);
  args.norm_after_rope = spec.norm_after_rope;
  args.interleaved = spec.rope_style == RopeStyle::kInterleaved;
  args.rope_offset = spec.rope_offset;
  args.rope_dim = spec.rope_dim;
  args.rope_cos = spec.rope_cos != nullptr ? spec.rope_cos->data : nullptr;
  args.rope_sin = spec.rope_sin != nullptr ? spec.rope_sin->data : nullptr;
  args.q_scale = spec.q_scale != nullptr ? spec.q_scale->data : nullptr;
  args.rows = t.rows;
  args.count = t.prompt_rows + t.generated_rows;
  args.page_ids = t.page_ids;
  cuda::qkv_post(stream(), args, to);
  done("qkv_post");
}

void CudaBackend::attention(Heads q,
                            const KvPages& kv,
                            const AttentionSpec& spec,
                            std::span<const Segment> segments,
                            Rows out) {
  AttentionArgs args;
  args.q = q;
  args.kv = static_cast<const CudaKvPages&>(kv).view(spec.layer);
  args.scale = spec.scale;
  args.softcap = spec.softcap;
  args.window = spec.window;
  args.alibi = spec.alibi != nullptr ? spec.alibi->data : nullptr;
  args.sinks = spec.sinks != nullptr ? spec.sinks->data : nullptr;
  args.out = out;
  const StepTables& t = tables(segments, static_cast<int>(q.heads / args.kv.at.kv_heads));
  args.page_ids = t.page_ids;
  const RowPlace* const generated = t.rows + t.prompt_rows;
  if (!attention_tile_fits(args.kv, q.heads)) {
    if (args.kv.at.v_size > kLargestHead) {
      throw fail(Code::kUnsupported,
                 "cuda: attention: found heads of {} values, need at most {}",
                 args.kv.at.v_size,
                 kLargestHead);
    }
    attention_general(stream(), args, t.rows, t.prompt_rows + t.generated_rows);
    return done("attention_general");
  }
  if (t.prompt_rows > 0) {
    attention_prefill(stream(), args, t.tiles, t.tile_count);
    done("attention_prefill");
  }
  if (t.generated_rows > 0) {
    float* const partials =
        partials_.of<float>(t.generated_rows * q.heads * t.splits * (args.kv.at.v_size + 2));
    attention_decode(
        stream(), args, generated, t.generated_rows, t.items, t.item_count, t.splits, partials);
    done("attention_decode");
  }
}

void CudaBackend::copy_pages(KvPages& kv, int64_t layer, std::span<const PageCopy> copies) {
  if (copies.empty()) return;
  KEJU_CHECK(!in_step_, "copies of pages in a decode step");
  for (const PageCopy& copy : copies) {
    KEJU_CHECK(copy.from >= 0 && copy.from < kv.pages && copy.to >= 0 && copy.to < kv.pages,
               "page id out of range");
    KEJU_CHECK(copy.positions >= 0 && copy.positions <= kPagePositions, "positions of a page");
  }
  PageCopy* const list = picks_.of<PageCopy>(static_cast<int64_t>(copies.size()));
  small_ring_.send(list, copies.data(), static_cast<int64_t>(copies.size_bytes()));
  small_ring_.flush();
  cuda::copy_pages(stream(),
                   {list, static_cast<int64_t>(copies.size())},
                   static_cast<CudaKvPages&>(kv).view(layer));
  done("copy_pages");
}

}  // namespace keju::cuda
