// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace keju {

struct SamplingSettings {
  double temperature = 0;
  double top_p = 1;
  int64_t top_k = 0;
  double min_p = 0;
};

// Memory of sample_token, for its caller to keep: a steady state allocates nothing.
struct SampleScratch {
  std::vector<int32_t> order;
  std::vector<double> mass;
};

// Picks a token from logits [V]. Greedy at temperature 0 (ties to the lower id). Otherwise the
// distribution softmax(logits / temperature) is cut to top_k, then to the smallest set whose mass
// reaches top_p, then to tokens of at least min_p times the best, and `draw` in [0, 1) selects by
// descending probability. Depends on no earlier contents of `scratch`.
int32_t sample_token(std::span<const float> logits,
                     const SamplingSettings& settings,
                     double draw,
                     SampleScratch& scratch);

// The random stream of one sample of one item: draws depend on (seed, key, sample, token index) and
// never on batch or order.
uint64_t sampling_stream(std::string_view key, int64_t sample);

}  // namespace keju
