// SPDX-License-Identifier: MIT
// Mixture of experts: routing (scalar: a few hundred values per row) and the expert layers, which
// are made of linear and glu. Rows are grouped by expert so that a matrix is read once per step.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/lanes_math.h"

namespace keju {
namespace {

constexpr float kClosed = -std::numeric_limits<float>::infinity();

// e^(x - max) / Σ, the sum in 16 lanes.
void softmax(const float* x, int64_t n, float* out) {
  float max = x[0];
  for (int64_t i = 1; i < n; ++i) max = max_lanes(x[i], max);
  float lanes[16] = {};
  for (int64_t i = 0; i < n; ++i) {
    out[i] = exp_lanes(x[i] - max);
    lanes[i % 16] = lanes[i % 16] + out[i];
  }
  const float sum = fold_lanes(lanes);
  for (int64_t i = 0; i < n; ++i) out[i] = out[i] / sum;
}

// Index of the largest value, the lowest among equals; -1 if every value is closed.
int64_t best_of(const float* x, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i) {
    if (x[i] != kClosed && (best < 0 || x[i] > x[best])) best = i;
  }
  return best;
}

// Closes the experts of all groups but the best ones.
void close_groups(const RouteSpec& spec, RouteScratch& own) {
  std::vector<float>& choice = own.choice;
  const int64_t size = spec.experts / spec.groups;
  std::vector<float>& score = own.group_score;
  score.resize(static_cast<size_t>(spec.groups));
  for (int64_t g = 0; g < spec.groups; ++g) {
    std::vector<float>& group = own.group;
    group.assign(choice.begin() + g * size, choice.begin() + (g + 1) * size);
    std::sort(group.begin(), group.end(), std::greater<>());
    const bool two = spec.group_score_top2 && size > 1;
    score[static_cast<size_t>(g)] = two ? group[0] + group[1] : group[0];
  }
  std::vector<bool>& open = own.open;
  open.assign(static_cast<size_t>(spec.groups), false);
  for (int64_t i = 0; i < spec.topk_groups; ++i) {
    const int64_t g = best_of(score.data(), spec.groups);
    if (g < 0) break;
    open[static_cast<size_t>(g)] = true;
    score[static_cast<size_t>(g)] = kClosed;
  }
  for (int64_t e = 0; e < spec.experts; ++e) {
    if (!open[static_cast<size_t>(e / size)]) choice[static_cast<size_t>(e)] = kClosed;
  }
}

void route_row(
    const float* logits, const RouteSpec& spec, RouteScratch& own, int32_t* ids, float* weights) {
  const size_t experts = static_cast<size_t>(spec.experts);
  std::vector<float>& score = own.score;
  score.assign(logits, logits + experts);
  if (spec.score == RouteSpec::Score::kSigmoid) {
    for (float& s : score) s = sigmoid_lanes(s);
  } else if (!spec.softmax_after_topk) {
    softmax(logits, spec.experts, score.data());
  }
  std::vector<float>& choice = own.choice;
  choice = score;
  if (spec.correction != nullptr) {
    for (size_t e = 0; e < experts; ++e) choice[e] = choice[e] + spec.correction->data[e];
  }
  if (spec.groups > 1 && spec.topk_groups < spec.groups) close_groups(spec, own);
  for (int64_t j = 0; j < spec.chosen; ++j) {
    int64_t best = best_of(choice.data(), spec.experts);
    // Only NaN logits get here; any answer will do, but it must be an expert.
    if (best < 0) best = 0;
    ids[j] = static_cast<int32_t>(best);
    weights[j] = score[static_cast<size_t>(best)];
    choice[static_cast<size_t>(best)] = kClosed;
  }
  if (spec.softmax_after_topk && spec.score == RouteSpec::Score::kSoftmax) {
    own.chosen.assign(weights, weights + spec.chosen);
    softmax(own.chosen.data(), spec.chosen, weights);
  }
  if (spec.normalise) {
    float sum = 0;
    for (int64_t j = 0; j < spec.chosen; ++j) sum = sum + weights[j];
    sum = sum + 1e-20f;
    for (int64_t j = 0; j < spec.chosen; ++j) weights[j] = weights[j] / sum;
  }
  for (int64_t j = 0; j < spec.chosen; ++j) weights[j] = weights[j] * spec.scale;
}

}  // namespace

void CpuBase::zero(Rows x) {
  for (int64_t t = 0; t < x.count; ++t) std::fill_n(x.data + t * x.stride, x.width, 0.0f);
}

void CpuBase::route(Rows logits,
                    const RouteSpec& spec,
                    std::span<int32_t> ids,
                    std::span<float> weights) {
  KEJU_CHECK(spec.chosen >= 1 && spec.chosen <= spec.experts, "chosen experts");
  for (int64_t t = 0; t < logits.count; ++t) {
    const size_t at = static_cast<size_t>(t * spec.chosen);
    route_row(logits.data + t * logits.stride,
              spec,
              route_scratch_,
              ids.data() + at,
              weights.data() + at);
  }
}

void CpuBase::experts(Rows x,
                      std::span<const int32_t> ids,
                      std::span<const float> weights,
                      const ExpertWeights& experts,
                      const GluSpec& glu_spec,
                      Rows out) {
  if (x.count == 0) return;
  const int64_t pairs = static_cast<int64_t>(ids.size());
  const int64_t chosen = pairs / x.count;
  const int64_t inner = experts.down[0]->cols;
  const int64_t width = out.width;
  // Per pair (t, j): its input, its gate and up, its product, its result.
  // Rows a multiple of 1 KiB apart would crowd into the same few sets of a cache.
  const auto apart = [](int64_t w) { return w % 256 == 0 ? w + 16 : w; };
  const int64_t input_row = apart(x.width);
  const int64_t both_row = apart(2 * inner);
  const int64_t inner_row = apart(inner);
  float* const inputs = expert_scratch_.floats(pairs * (input_row + both_row + inner_row + width));
  float* const gate_up = inputs + pairs * input_row;
  float* const product = gate_up + pairs * both_row;
  float* const results = product + pairs * inner_row;
  std::vector<int32_t>& order = expert_rows_;  // pairs by expert, then by row
  order.resize(static_cast<size_t>(pairs));
  for (int64_t p = 0; p < pairs; ++p) order[static_cast<size_t>(p)] = static_cast<int32_t>(p);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const int32_t ea = ids[static_cast<size_t>(a)];
    const int32_t eb = ids[static_cast<size_t>(b)];
    return ea != eb ? ea < eb : a < b;
  });
  for (int64_t begin = 0; begin < pairs;) {
    const int32_t expert = ids[static_cast<size_t>(order[static_cast<size_t>(begin)])];
    const size_t e = static_cast<size_t>(expert);
    int64_t end = begin;
    for (; end < pairs && ids[static_cast<size_t>(order[static_cast<size_t>(end)])] == expert;
         ++end) {
      std::memcpy(inputs + end * input_row,
                  x.data + order[static_cast<size_t>(end)] / chosen * x.stride,
                  static_cast<size_t>(x.width) * sizeof(float));
    }
    const int64_t n = end - begin;
    const auto bias = [e](const std::vector<const Vector*>& all) {
      return all.empty() ? nullptr : all[e];
    };
    const Rows in{inputs + begin * input_row, n, x.width, input_row};
    const Rows both{gate_up + begin * both_row, n, 2 * inner, both_row};
    const Rows middle{product + begin * inner_row, n, inner, inner_row};
    linear_glu(in, *experts.gate_up[e], bias(experts.gate_up_bias), glu_spec, both, middle);
    linear(middle,
           *experts.down[e],
           bias(experts.down_bias),
           false,
           Rows{results + begin * width, n, width, width});
    begin = end;
  }
  std::vector<int32_t>& place = expert_places_;  // of pair (t, j) among the results
  place.resize(static_cast<size_t>(pairs));
  for (int64_t i = 0; i < pairs; ++i) {
    place[static_cast<size_t>(order[static_cast<size_t>(i)])] = static_cast<int32_t>(i);
  }
  in_parallel(x.count, 16, [&](int64_t first, int64_t last, int) {
    for (int64_t p = first * chosen; p < last * chosen; ++p) {
      const float weight = weights[static_cast<size_t>(p)];
      const float* result = results + place[static_cast<size_t>(p)] * width;
      add_row(out.data + p / chosen * out.stride, result, weight, width);
    }
  });
}

}  // namespace keju
