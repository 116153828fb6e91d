// SPDX-License-Identifier: MIT
// The vocabulary head, sampling and the mixture of experts: ops of several launches and a part on
// the host.
#include <algorithm>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/exact_math.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/rooms.h"

namespace keju::cuda {
namespace {

const CudaMatrix& own(const Matrix& matrix) { return static_cast<const CudaMatrix&>(matrix); }

using Best = std::pair<int32_t, float>;

// Tiles in ascending order, in double; the running maximum only moves up.
void finish_row(std::span<const HeadTile> tiles,
                std::span<const HeadBest> best,
                int top,
                HeadRow& row) {
  double max = -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const double own_max = static_cast<double>(tiles[i].max);
    if (i == 0 || own_max > max) {
      sum = i == 0 ? 0 : sum * exact_exp(max - own_max);
      max = own_max;
      row.best_id = tiles[i].best;
      row.best_logit = tiles[i].max;
    }
    sum = sum + static_cast<double>(tiles[i].sum) * exact_exp(own_max - max);
  }
  row.log_sum_exp = max + exact_log(sum);
  if (top == 0) return;
  std::vector<Best> all;
  for (const HeadBest& b : best) {
    if (b.id >= 0) all.emplace_back(b.id, b.logit);
  }
  const size_t kept = std::min(all.size(), static_cast<size_t>(top));
  std::partial_sort(all.begin(),
                    all.begin() + static_cast<int64_t>(kept),
                    all.end(),
                    [](const Best& a, const Best& b) {
                      return a.second != b.second ? a.second > b.second : a.first < b.first;
                    });
  all.resize(kept);
  row.top = std::move(all);
}

}  // namespace

std::vector<HeadRow> CudaBackend::head(Rows x,
                                       const Matrix& w,
                                       const HeadSpec& spec,
                                       std::span<const std::vector<int32_t>> wanted) {
  KEJU_CHECK(wanted.empty() || static_cast<int64_t>(wanted.size()) == x.count,
             "wanted ids: one list per row");
  std::vector<HeadRow> result(static_cast<size_t>(x.count));
  const int64_t tiles = head_tiles_of(w.rows);
  const int top = std::min(spec.top, kHeadTileColumns);
  for (int64_t row0 = 0; row0 < x.count; row0 += kHeadRows) {
    const int64_t rows = std::min(kHeadRows, x.count - row0);
    const Rows some{x.data + row0 * x.stride, rows, x.width, x.stride};
    // On the card: a tile's results per row, its best, and the logits asked for.
    std::vector<Pick> picks;
    std::vector<std::pair<size_t, size_t>> places;  // row, index among its wanted
    for (int64_t r = 0; r < rows && !wanted.empty(); ++r) {
      const auto& ids = wanted[static_cast<size_t>(row0 + r)];
      result[static_cast<size_t>(row0 + r)].wanted.resize(ids.size());
      for (size_t i = 0; i < ids.size(); ++i) {
        KEJU_CHECK(ids[i] >= 0 && ids[i] < w.rows, "wanted id out of range");
        picks.push_back({static_cast<int32_t>(r), ids[i], static_cast<int32_t>(places.size())});
        places.emplace_back(row0 + r, i);
      }
    }
    std::sort(picks.begin(), picks.end(), [](const Pick& a, const Pick& b) {
      return a.column < b.column;
    });
    const int64_t tile_bytes = rows * tiles * static_cast<int64_t>(sizeof(HeadTile));
    const int64_t best_bytes = rows * tiles * top * static_cast<int64_t>(sizeof(HeadBest));
    const int64_t pick_bytes = static_cast<int64_t>(places.size() * sizeof(float));
    std::byte* const out = head_out_.bytes(tile_bytes + best_bytes + pick_bytes);
    float* const picked = reinterpret_cast<float*>(out + tile_bytes + best_bytes);

    const int64_t width = std::min(kHeadColumns, w.rows);
    float* const logits = head_.of<float>(rows * width);
    auto next = picks.begin();
    for (int64_t begin = 0; begin < w.rows; begin += kHeadColumns) {
      const int64_t columns = std::min(kHeadColumns, w.rows - begin);
      const Rows slab{logits, rows, columns, width};
      multiply(some,
               own(w).stored(begin, columns),
               spec.bias != nullptr ? spec.bias->data + begin : nullptr,
               false,
               slab);
      head_tiles(stream(),
                 {slab,
                  begin,
                  tiles,
                  spec.scale,
                  spec.softcap,
                  top,
                  reinterpret_cast<HeadTile*>(out),
                  reinterpret_cast<HeadBest*>(out + tile_bytes)});
      done("head_tiles");
      const auto first = next;
      for (; next != picks.end() && next->column < begin + columns; ++next)
        next->column -= static_cast<int32_t>(begin);
      if (first == next) continue;
      const std::span<const Pick> here(first, next);
      pick(stream(), slab, send(picks_, here), static_cast<int64_t>(here.size()), picked);
      done("pick");
    }
    std::vector<std::byte> host(static_cast<size_t>(tile_bytes + best_bytes + pick_bytes));
    runtime_->copy_to_host(host.data(), out, static_cast<int64_t>(host.size()));
    const auto* all = reinterpret_cast<const HeadTile*>(host.data());
    const auto* best = reinterpret_cast<const HeadBest*>(host.data() + tile_bytes);
    const auto* values = reinterpret_cast<const float*>(host.data() + tile_bytes + best_bytes);
    for (int64_t r = 0; r < rows; ++r) {
      finish_row({all + r * tiles, static_cast<size_t>(tiles)},
                 {best + r * tiles * top, static_cast<size_t>(tiles * top)},
                 top,
                 result[static_cast<size_t>(row0 + r)]);
    }
    for (size_t i = 0; i < places.size(); ++i)
      result[places[i].first].wanted[places[i].second] = values[i];
  }
  return result;
}

// The finished logits of a few rows, [rows, V], and their tiles in head_out_.
Rows CudaBackend::whole_logits(Rows x, const Matrix& w, const HeadSpec& spec) {
  const int64_t tiles = head_tiles_of(w.rows);
  const Rows all{head_.of<float>(x.count * w.rows), x.count, w.rows, w.rows};
  multiply(x, own(w).stored(), spec.bias != nullptr ? spec.bias->data : nullptr, false, all);
  head_tiles(stream(),
             {all,
              0,
              tiles,
              spec.scale,
              spec.softcap,
              0,
              head_out_.of<HeadTile>(x.count * tiles),
              nullptr});
  done("head_tiles");
  return all;
}

void CudaBackend::logits(Rows x, const Matrix& w, const HeadSpec& spec, float* host) {
  const int64_t at_once = logit_rows(w.rows);
  for (int64_t row0 = 0; row0 < x.count; row0 += at_once) {
    const int64_t rows = std::min(at_once, x.count - row0);
    const Rows all = whole_logits({x.data + row0 * x.stride, rows, x.width, x.stride}, w, spec);
    download(all.data, rows * w.rows, host + row0 * w.rows);
  }
}

void CudaBackend::sample(Rows x,
                         const Matrix& w,
                         const HeadSpec& spec,
                         std::span<const SampleRule> rules,
                         std::span<int32_t> ids) {
  KEJU_CHECK(rules.size() == ids.size(), "an id for each rule");
  if (in_step_) return queue_step_sample(x, w, spec, rules);
  const int64_t at_once = logit_rows(w.rows);
  size_t next = 0;
  for (int64_t row0 = 0; row0 < x.count && next < rules.size(); row0 += at_once) {
    const int64_t rows = std::min(at_once, x.count - row0);
    const size_t first = next;
    tasks_.clear();
    for (; next < rules.size() && rules[next].row < row0 + rows; ++next) {
      KEJU_CHECK(rules[next].row >= (next > 0 ? rules[next - 1].row : 0), "rules by rows");
      tasks_.push_back({sample_cut(rules[next]), rules[next].row - row0});
    }
    if (first == next) continue;
    const Rows all = whole_logits({x.data + row0 * x.stride, rows, x.width, x.stride}, w, spec);
    const auto count = static_cast<int64_t>(tasks_.size());
    std::byte* const room = samples_.bytes(count * kSampleBytes);
    auto* const tasks = reinterpret_cast<SampleTask*>(room);
    auto* const drawn = reinterpret_cast<int32_t*>(tasks + count);
    small_ring_.send(tasks, tasks_.data(), count * static_cast<int64_t>(sizeof(SampleTask)));
    small_ring_.flush();
    cuda::sample(
        stream(), all, head_out_.of<HeadTile>(0), head_tiles_of(w.rows), tasks, count, drawn);
    done("sample");
    runtime_->copy_to_host(ids.data() + first, drawn, count * 4);
  }
  KEJU_CHECK(next == rules.size(), "a rule's row");
}

// In a decode step nothing waits: the draws stand in its frame, and decode() takes their tokens.
void CudaBackend::queue_step_sample(Rows x,
                                    const Matrix& w,
                                    const HeadSpec& spec,
                                    std::span<const SampleRule> rules) {
  const SampleTask* const tasks = frame_.tasks(rules);
  const int64_t at_once = logit_rows(w.rows);
  for (int64_t row0 = 0; row0 < x.count; row0 += at_once) {
    const int64_t rows = std::min(at_once, x.count - row0);
    const Rows all = whole_logits({x.data + row0 * x.stride, rows, x.width, x.stride}, w, spec);
    cuda::sample(stream(),
                 all,
                 head_out_.of<HeadTile>(0),
                 head_tiles_of(w.rows),
                 tasks + row0,
                 rows,
                 frame_.drawn() + row0);
    done("sample");
  }
}

// -- mixture of experts ---------------------------------------------------------------------------

void CudaBackend::route(Rows logits,
                        const RouteSpec& spec,
                        std::span<int32_t> ids,
                        std::span<float> weights) {
  KEJU_CHECK(!in_step_, "experts are routed on the host, which a decode step does not wait for");
  KEJU_CHECK(spec.chosen >= 1 && spec.chosen <= spec.experts, "chosen experts");
  if (logits.count == 0) return;
  RouteArgs args;
  args.sigmoid = spec.score == RouteSpec::Score::kSigmoid;
  args.softmax_after_topk = spec.softmax_after_topk;
  args.experts = static_cast<int>(spec.experts);
  args.chosen = static_cast<int>(spec.chosen);
  args.normalise = spec.normalise;
  args.scale = spec.scale;
  args.correction = spec.correction != nullptr ? spec.correction->data : nullptr;
  args.groups = static_cast<int>(spec.groups);
  args.topk_groups = static_cast<int>(spec.topk_groups);
  args.group_score_top2 = spec.group_score_top2;
  const int64_t pairs = logits.count * spec.chosen;
  int32_t* const device_ids = route_.of<int32_t>(2 * pairs);
  float* const device_weights = reinterpret_cast<float*>(device_ids + pairs);
  cuda::route(stream(), logits, args, device_ids, device_weights);
  done("route");
  runtime_->copy_to_host(ids.data(), device_ids, pairs * 4);
  runtime_->copy_to_host(weights.data(), device_weights, pairs * 4);
}

void CudaBackend::experts(Rows x,
                          std::span<const int32_t> ids,
                          std::span<const float> weights,
                          const ExpertWeights& experts,
                          const GluSpec& glu_spec,
                          Rows out) {
  if (x.count == 0) return;
  const int64_t pairs = static_cast<int64_t>(ids.size());
  const int64_t chosen = pairs / x.count;
  const int64_t inner = experts.down[0]->cols;
  std::vector<int32_t> order(ids.size());  // pairs by expert, then by row
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return ids[static_cast<size_t>(a)] < ids[static_cast<size_t>(b)];
  });
  std::vector<int32_t> rows(ids.size());
  std::vector<int32_t> place(ids.size());  // of pair (t, j) among the results
  for (size_t i = 0; i < order.size(); ++i) {
    rows[i] = order[i] / static_cast<int32_t>(chosen);
    place[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
  }
  float* const inputs = experts_.of<float>(pairs * expert_floats(x.width, inner, out.width));
  float* const gate_up = inputs + pairs * x.width;
  float* const product = gate_up + pairs * 2 * inner;
  float* const results = product + pairs * inner;
  cuda::gather(stream(),
               x,
               send(ids_, std::span<const int32_t>(rows)),
               pairs,
               {inputs, pairs, x.width, x.width});
  done("gather");
  for (size_t begin = 0; begin < order.size();) {
    const size_t e = static_cast<size_t>(ids[static_cast<size_t>(order[begin])]);
    size_t end = begin;
    while (end < order.size() && static_cast<size_t>(ids[static_cast<size_t>(order[end])]) == e)
      ++end;
    const auto bias = [e](const std::vector<const Vector*>& all) {
      return all.empty() ? nullptr : all[e];
    };
    const int64_t first = static_cast<int64_t>(begin);
    const int64_t n = static_cast<int64_t>(end - begin);
    const Rows both{gate_up + first * 2 * inner, n, 2 * inner, 2 * inner};
    const Rows middle{product + first * inner, n, inner, inner};
    linear({inputs + first * x.width, n, x.width, x.width},
           *experts.gate_up[e],
           bias(experts.gate_up_bias),
           false,
           both);
    glu(both, glu_spec, middle);
    linear(middle,
           *experts.down[e],
           bias(experts.down_bias),
           false,
           {results + first * out.width, n, out.width, out.width});
    begin = end;
  }
  const int32_t* const device_place = send(ids_, std::span<const int32_t>(place));
  const float* const device_weights = send(route_, weights);
  combine(
      stream(), {results, pairs, out.width, out.width}, device_place, device_weights, chosen, out);
  done("combine");
}

}  // namespace keju::cuda
