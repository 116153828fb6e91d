// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace keju {

// What this machine can do at the moment, measured: best of several short runs on `threads` threads
// of the instruction that a product of that kind is made of, on registers alone. 0 where the level
// has no such instruction.
struct CpuPeaks {
  double f32_gflops = 0;      // fused multiply-add
  double int8_gops = 0;       // VPDPBUSD
  double int8_tile_gops = 0;  // TDPBSSD
  double bf16_gflops = 0;     // TDPBF16PS
  double read_gbytes = 0;     // a sum over more memory than the caches hold
};

// `isa`: as in BackendFacts. Takes a second or two, and memory twice as large as the last
// cache or, where that is more than half of what is free, that half.
CpuPeaks measure_cpu_peaks(const std::string& isa, int threads);

}  // namespace keju
