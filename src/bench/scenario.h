// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "lm/language_model.h"

namespace keju {

struct BenchOptions {
  std::string scenario = "offline";  // offline, single or phases; see below
  int64_t requests = 16;
  int64_t prompt_tokens = 512;
  int64_t new_tokens = 64;
  int64_t repeat = 3;                                                // of phases
  std::vector<std::string> phases = {"prefill", "decode", "batch"};  // of phases: which of them
  int64_t vocab = 0;  // prompts are random ids below this
  uint64_t seed = 1;
};

// Measures a model without a suite, on random ids (nothing is shared between prompts, EOS does not
// end a generation). Times are by a monotonic clock, in milliseconds where the name ends in _ms.
//   offline  prefill and decode tokens/s of all requests together
//   phases   prefill of one prompt, decode of one stream, decode of all `requests` streams together
//            (from prompts of one token): tokens/s, medians of `repeat` warm repetitions of those
//            that `phases` names
//   single   TTFT, TPOT and latency of one stream: p50, p90, p99
// Errors: Error(kUsage) for an unknown scenario.
Json run_scenario(LanguageModel& model, const BenchOptions& options);

// The value below which a share `p` of the samples lies, linearly between neighbours (NumPy's
// default). `samples` must not be empty.
double percentile(std::vector<double> samples, double p);

}  // namespace keju
