// SPDX-License-Identifier: MIT
#include "kernels/cuda/plan.h"

#include <fmt/format.h>

#include "base/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/cuda_backend.h"

namespace keju::cuda {
namespace {

// What the driver takes per allocation and what pages of memory round up to.
constexpr int64_t kMarginPart = 32;

bool is_block(DType type) { return keju::facts(type).block_elems > 1; }

int64_t mib(int64_t bytes) { return (bytes + (int64_t{1} << 20) - 1) >> 20; }

}  // namespace

BackendFacts CardCount::facts() const {
  BackendFacts facts;
  facts.name = "cuda";
  facts.numeric_mode = exact_ ? "cuda-exact" : "cuda-native";
  return facts;
}

std::unique_ptr<Matrix> CardCount::make_matrix(const MatrixSource& source) {
  auto matrix = std::make_unique<Matrix>();
  matrix->rows = source.rows();
  matrix->cols = source.cols;
  matrix->dtype = source.dtype;
  const int64_t stored = matrix->rows * row_bytes(source.dtype, source.cols);
  weights_.stored += stored;
  const bool expands = !exact_ && is_block(source.dtype);
  weights_.expanded += expands ? matrix->rows * source.cols * 2 : stored;
  any_16_bit_ = any_16_bit_ || source.dtype != DType::kF32;
  if (expands) {
    weights_.any_blocks = true;
    most(weights_.expanding,
         expand_rows(matrix->rows, source.cols) *
             (source.cols * 4 + row_bytes(source.dtype, source.cols)));
  }
  return matrix;
}

std::unique_ptr<Vector> CardCount::make_vector(std::span<const float> values) {
  auto vector = std::make_unique<Vector>();
  vector->size = static_cast<int64_t>(values.size());
  weights_.vectors += static_cast<int64_t>(values.size_bytes());
  return vector;
}

std::unique_ptr<KvPages> CardCount::make_kv_pages(const KvShape& shape, int64_t pages) {
  auto kv = std::make_unique<KvPages>();
  kv->shape = shape;
  kv->pages = pages;
  int64_t elements = 0;
  for (int64_t i = 0; i < shape.layers; ++i) {
    KvShape::Layer own{shape.kv_heads, shape.k_size, shape.v_size};
    if (!shape.per_layer.empty()) own = shape.per_layer[static_cast<size_t>(i)];
    elements += own.kv_heads * (own.k_size + own.v_size) * kPagePositions;
  }
  weights_.page = elements * (exact_ || !any_16_bit_ ? 4 : 2);
  return kv;
}

// Addresses in a range that nothing lies in; 0 is none.
float* CardCount::allocate(int64_t elements) {
  const int64_t bytes = elements * static_cast<int64_t>(sizeof(float));
  float* const memory = reinterpret_cast<float*>(next_address_);  // NOLINT: never dereferenced
  next_address_ += (bytes + 511) / 256 * 256;
  given_.emplace_back(memory, bytes);
  activations_now_ += bytes;
  most(activations_most_, activations_now_);
  return memory;
}

void CardCount::release(float* memory) {
  const auto at = std::find_if(
      given_.begin(), given_.end(), [&](const auto& one) { return one.first == memory; });
  if (at == given_.end()) return;
  activations_now_ -= at->second;
  given_.erase(at);
}

void CardCount::product(int64_t rows, const Matrix& w) {
  if (w.dtype == DType::kF32) return;
  if (exact_) return most(rooms_.expanded, expand_rows(w.rows, w.cols) * w.cols * 4);
  most(rooms_.rounded, rows * rounded_stride(w.cols) * 2);
}

void CardCount::tables(std::span<const Segment> segments) {
  int64_t bytes = 0;
  for (const Segment& s : segments) {
    const int64_t pages = (s.pos0 + s.rows - 1) / kPagePositions + 1;
    bytes += pages * 4 + s.rows * static_cast<int64_t>(sizeof(RowPlace) + sizeof(Tile));
    if (s.generated) bytes += (pages / kSplitPages + 1) * static_cast<int64_t>(sizeof(SplitItem));
  }
  most(rooms_.tables, bytes + bytes / 2 + 64);
}

void CardCount::attention(
    Heads q, const KvPages& kv, const AttentionSpec&, std::span<const Segment> segments, Rows) {
  tables(segments);
  int64_t rows = 0;
  int64_t splits = 0;
  for (const Segment& s : segments) {
    if (!s.generated) continue;
    rows += s.rows;
    splits = std::max<int64_t>(splits, (s.pos0 + s.rows - 1) / kSplit + 1);
  }
  if (rows == 0) return;
  if (graphs_) {
    splits = made_up(splits);
    most(rooms_.frame, frame_bytes(rows, splits, made_up(rows * splits)));
  }
  most(rooms_.partials, rows * q.heads * splits * (kv.shape.v_size + 2) * 4);
}

void CardCount::route(Rows logits,
                      const RouteSpec& spec,
                      std::span<int32_t> ids,
                      std::span<float> weights) {
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<int32_t>(static_cast<int64_t>(i) % spec.chosen);
    weights[i] = 0;
  }
  most(rooms_.route, logits.count * spec.chosen * 8);
}

void CardCount::experts(Rows x,
                        std::span<const int32_t> ids,
                        std::span<const float>,
                        const ExpertWeights& experts,
                        const GluSpec&,
                        Rows out) {
  const Matrix& down = *experts.down[0];
  const auto pairs = static_cast<int64_t>(ids.size());
  most(rooms_.experts, pairs * expert_floats(x.width, down.cols, out.width) * 4);
  most(rooms_.ids, pairs * 4);
  // At worst every row asks for the same experts.
  product(x.count, *experts.gate_up[0]);
  product(x.count, down);
}

std::vector<HeadRow> CardCount::head(Rows x,
                                     const Matrix& w,
                                     const HeadSpec& spec,
                                     std::span<const std::vector<int32_t>>) {
  const int64_t rows = std::min(kHeadRows, x.count);
  most(rooms_.head, rows * std::min(kHeadColumns, w.rows) * 4);
  most(rooms_.head_out,
       rows * (head_row_bytes(w.rows, std::min(spec.top, kHeadTileColumns)) + kPicks * 4));
  most(rooms_.picks, rows * kPicks * static_cast<int64_t>(sizeof(Pick)));
  product(rows, w);
  return {};
}

void CardCount::sample(Rows x,
                       const Matrix& w,
                       const HeadSpec& spec,
                       std::span<const SampleRule> rules,
                       std::span<int32_t>) {
  logits(x, w, spec, nullptr);
  most(rooms_.samples, static_cast<int64_t>(rules.size()) * kSampleBytes);
}

void CardCount::logits(Rows x, const Matrix& w, const HeadSpec&, float*) {
  const int64_t rows = std::min(logit_rows(w.rows), x.count);
  most(rooms_.head, rows * w.rows * 4);
  most(rooms_.head_out, rows * head_row_bytes(w.rows, 0));
  product(rows, w);
}

CardNeed CardCount::need() const {
  CardNeed need = weights_;
  need.activations = activations_most_;
  need.rooms = rooms_;
  return need;
}

namespace {

struct Fit {
  int64_t fixed = 0;  // all but the pages
  int64_t free = 0;
  int64_t pages = 0;  // that have room beside it
};

Fit fit(const CardNeed& need, const DeviceFacts& card, bool expand) {
  Fit fit;
  fit.free = card.free_bytes - card.free_bytes / kMarginPart;
  // While a table of positions grows, the old one still stands beside the new one.
  fit.fixed = (expand ? need.expanded : need.stored) + need.vectors + need.vectors / 2 +
              need.activations + need.rooms.total();
  if (expand) fit.fixed += need.expanding;
  fit.pages = (fit.free - fit.fixed) / std::max<int64_t>(need.page, 1);
  return fit;
}

}  // namespace

}  // namespace keju::cuda

namespace keju {

std::unique_ptr<Backend> make_cuda_count(const CudaOptions& options) {
  return std::make_unique<cuda::CardCount>(options.exact, options.graphs);
}

CudaPlan plan_cuda(std::span<const CudaShare> shares, const CudaWish& wish) {
  using cuda::CardCount, cuda::CudaBackend, cuda::mib;
  CudaPlan plan;
  std::vector<cuda::CardNeed> needs;
  std::vector<cuda::DeviceFacts> cards;
  for (const CudaShare& share : shares) {
    needs.push_back(static_cast<const CardCount&>(*share.count).need());
    cards.push_back(static_cast<CudaBackend&>(*share.card).device_now());
    plan.any_blocks = plan.any_blocks || needs.back().any_blocks;
  }
  // Expanded on all cards or on none: they compute the same.
  const auto least = [&](bool expand) {
    int64_t fewest = INT64_MAX;
    for (size_t i = 0; i < needs.size(); ++i)
      fewest = std::min(fewest, cuda::fit(needs[i], cards[i], expand).pages);
    return fewest;
  };
  plan.expanded = plan.any_blocks && !wish.keep_stored && least(true) >= wish.least_pages;
  const int64_t room = least(plan.expanded);
  plan.pages = std::min(room, wish.useful_pages);
  for (size_t i = 0; i < needs.size(); ++i) {
    const cuda::CardNeed& need = needs[i];
    const cuda::Fit own = cuda::fit(need, cards[i], plan.expanded);
    plan.said.push_back(fmt::format(
        "{}: {} MiB free: weights {} MiB{}, activations and scratch {} MiB, keys and values {} MiB "
        "({} tokens)",
        cards[i].name,
        mib(cards[i].free_bytes),
        mib(plan.expanded ? need.expanded : need.stored),
        !need.any_blocks ? ""
        : plan.expanded  ? " (blocks expanded to BF16)"
                         : " (blocks as stored)",
        mib(need.vectors + need.activations + need.rooms.total()),
        mib(std::max<int64_t>(plan.pages, 0) * need.page),
        std::max<int64_t>(plan.pages, 0) * kPagePositions));
    if (own.pages >= wish.least_pages) continue;
    throw fail(Code::kDevice,
               "cuda: memory of {}: found {} MiB free, need {} MiB: weights {}, activations and "
               "scratch {}, keys and values of {} tokens {}. Hint: a smaller --context, fewer "
               "--step-rows, or --spread layers over more --devices need less on each",
               cards[i].name,
               mib(cards[i].free_bytes),
               mib((own.fixed + wish.least_pages * need.page) * (cuda::kMarginPart + 1) /
                   cuda::kMarginPart),
               mib(need.stored),
               mib(own.fixed - need.stored),
               wish.least_pages * kPagePositions,
               mib(wish.least_pages * need.page));
  }
  for (const CudaShare& share : shares)
    static_cast<CudaBackend&>(*share.card).set_expanded(plan.expanded);
  // What fits now is taken now: nothing is left to fail for memory midway.
  for (size_t i = 0; i < shares.size(); ++i)
    static_cast<CudaBackend&>(*shares[i].card).reserve(needs[i].rooms);
  return plan;
}

}  // namespace keju
