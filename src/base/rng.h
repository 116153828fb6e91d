// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace keju {

// Philox 4x32-10: a counter-based generator, so that draw number `i` of stream `key` is the same
// whoever asks for it and in whatever order.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Uniform in [0, 1) with 53 bits, from draw `index` of stream (`seed`, `stream`).
double uniform(uint64_t seed, uint64_t stream, uint64_t index);

// Uniform integer in [0, n), n >= 1, from the same stream; unbiased to 2^-64·n.
uint64_t uniform_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

// Python's random.Random(seed): MT19937 seeded by init_by_array, with the same sample().
// Source: CPython 3.11 Modules/_randommodule.c and Lib/random.py.
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);
  uint32_t next_u32();
  double random();
  uint64_t below(uint64_t n);                             // randbelow
  std::vector<int64_t> sample(int64_t n, int64_t count);  // random.sample(range(n), count)

 private:
  void refill();
  std::array<uint32_t, 624> state_{};
  size_t next_ = 624;
};

}  // namespace keju
