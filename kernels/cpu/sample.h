// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/sampling.h"

namespace keju {

// What one step of sampling works on: kept, so that a token takes no memory.
struct SampleStep {
  struct Best {
    float logit = 0;
    int32_t id = 0;
  };
  std::vector<Best> best;       // [rows], or [tiles][rows] before they are put together
  std::vector<int64_t> stored;  // per row: which of the stored logits are its own; -1: none
  std::vector<float> logits;    // of the rows whose draw wants them, [stored][V]
};

// What one thread needs to draw from one row.
struct SampleScratch {
  static constexpr int kBins = 1024;
  // The masses of the tokens, those of one stretch of logits together, best first.
  struct Bins {
    uint64_t mass[kBins];
    uint64_t count[kBins];
  };
  std::vector<uint64_t> mass;  // [V]
  std::vector<int32_t> part;   // ids of the stretch that is looked into
  Bins whole, narrow;

  void resize(int64_t vocab) {
    mass.resize(static_cast<size_t>(vocab));
    part.resize(static_cast<size_t>(vocab));
  }
};

// The token that `cut` draws from a row of n logits. The scratch has their size, scratch.mass holds
// their masses; the best logit is above -infinity.
int32_t draw_token(
    const float* logits, int64_t n, float best, const SampleCut& cut, SampleScratch& scratch);

}  // namespace keju
