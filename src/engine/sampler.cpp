// SPDX-License-Identifier: MIT
#include "engine/sampler.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/exact_math.h"
#include "base/sha256.h"

namespace keju {

int32_t sample_token(std::span<const float> logits,
                     const SamplingSettings& settings,
                     double draw,
                     SampleScratch& scratch) {
  KEJU_CHECK(!logits.empty(), "sample_token: no logits");
  if (settings.temperature <= 0) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  std::vector<int32_t>& order = scratch.order;
  order.resize(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  size_t kept = logits.size();
  if (settings.top_k > 0) kept = std::min<size_t>(kept, static_cast<size_t>(settings.top_k));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), better);
  const auto best = static_cast<double>(logits[order[0]]);
  std::vector<double>& mass = scratch.mass;
  mass.resize(kept);
  double total = 0;
  for (size_t i = 0; i < kept; ++i) {
    mass[i] = exact_exp((static_cast<double>(logits[order[i]]) - best) / settings.temperature);
    total += mass[i];
  }
  double cumulative = 0;
  size_t last = 0;
  for (; last < kept; ++last) {
    if (last > 0 && (cumulative >= settings.top_p * total || mass[last] < settings.min_p * mass[0]))
      break;
    cumulative += mass[last];
  }
  double left = draw * cumulative;
  for (size_t i = 0; i < last; ++i) {
    if (left < mass[i]) return order[i];
    left -= mass[i];
  }
  return order[last - 1];
}

uint64_t sampling_stream(std::string_view key, int64_t sample) {
  const std::string hex = sha256_hex(std::string(key) + "#" + std::to_string(sample));
  return std::stoull(hex.substr(0, 16), nullptr, 16);
}

}  // namespace keju
