// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include <bit>
#include <unordered_set>

#include "base/error.h"

namespace keju {
namespace {

__extension__ using Wide = unsigned __int128;

uint64_t draw(uint64_t seed, uint64_t stream, uint64_t index) {
  const std::array<uint32_t, 4> words =
      philox({static_cast<uint32_t>(index),
              static_cast<uint32_t>(index >> 32),
              static_cast<uint32_t>(stream),
              static_cast<uint32_t>(stream >> 32)},
             {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<uint64_t>(words[1]) << 32 | words[0];
}

}  // namespace

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

double uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return static_cast<double>(draw(seed, stream, index) >> 11) * 0x1p-53;
}

uint64_t uniform_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n) {
  KEJU_CHECK(n >= 1, "uniform_below of nothing");
  return static_cast<uint64_t>((static_cast<Wide>(draw(seed, stream, index)) * n) >> 64);
}

PythonRandom::PythonRandom(uint64_t seed) {
  constexpr size_t kSize = 624;
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed),
                                       static_cast<uint32_t>(seed >> 32)};
  const size_t key_size = key[1] != 0 ? 2 : 1;

  state_[0] = 19650218u;
  for (size_t i = 1; i < kSize; ++i) {
    const uint32_t before = state_[i - 1];
    state_[i] = 1812433253u * (before ^ (before >> 30)) + static_cast<uint32_t>(i);
  }
  size_t i = 1;
  size_t j = 0;
  const auto step = [&] {
    if (++i == kSize) {
      state_[0] = state_[kSize - 1];
      i = 1;
    }
  };
  for (size_t n = 0; n < kSize; ++n) {  // max(624, key_size) rounds
    const uint32_t before = state_[i - 1];
    state_[i] =
        (state_[i] ^ ((before ^ (before >> 30)) * 1664525u)) + key[j] + static_cast<uint32_t>(j);
    step();
    if (++j == key_size) j = 0;
  }
  for (size_t n = 0; n < kSize - 1; ++n) {
    const uint32_t before = state_[i - 1];
    state_[i] = (state_[i] ^ ((before ^ (before >> 30)) * 1566083941u)) - static_cast<uint32_t>(i);
    step();
  }
  state_[0] = 0x80000000u;
}

void PythonRandom::refill() {
  for (size_t i = 0; i < 624; ++i) {
    const uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % 624] & 0x7FFFFFFFu);
    state_[i] = state_[(i + 397) % 624] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908B0DFu : 0u);
  }
  next_ = 0;
}

uint32_t PythonRandom::next_u32() {
  if (next_ == state_.size()) refill();
  uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

double PythonRandom::random() {
  const double high = static_cast<double>(next_u32() >> 5);
  const double low = static_cast<double>(next_u32() >> 6);
  return (high * 67108864.0 + low) * 0x1p-53;
}

uint64_t PythonRandom::below(uint64_t n) {
  KEJU_CHECK(n >= 1, "below of nothing");
  const int bits = static_cast<int>(std::bit_width(n));
  for (;;) {
    uint64_t value;
    if (bits <= 32) {
      value = next_u32() >> (32 - bits);
    } else {
      value = next_u32();  // the low word is drawn first
      value |= static_cast<uint64_t>(next_u32() >> (64 - bits)) << 32;
    }
    if (value < n) return value;
  }
}

std::vector<int64_t> PythonRandom::sample(int64_t n, int64_t count) {
  KEJU_CHECK(n >= 0 && count >= 0 && count <= n, "sample larger than the population");
  // Python picks the method by memory use, and each consumes different draws: a pool costs n
  // places, a set of `count` about 21, or 21 + 4^ceil(log4(3·count)) if count > 5.
  int64_t set_size = 21;
  if (count > 5) {
    int64_t power = 1;
    while (power < 3 * count) power *= 4;
    set_size += power;
  }
  std::vector<int64_t> out;
  out.reserve(static_cast<size_t>(count));
  if (n <= set_size) {
    std::vector<int64_t> pool(static_cast<size_t>(n));
    for (size_t i = 0; i < pool.size(); ++i) pool[i] = static_cast<int64_t>(i);
    for (int64_t i = 0; i < count; ++i) {
      const size_t at = static_cast<size_t>(below(static_cast<uint64_t>(n - i)));
      out.push_back(pool[at]);
      pool[at] = pool[static_cast<size_t>(n - i - 1)];
    }
    return out;
  }
  std::unordered_set<int64_t> taken;
  while (static_cast<int64_t>(out.size()) < count) {
    const int64_t value = static_cast<int64_t>(below(static_cast<uint64_t>(n)));
    if (taken.insert(value).second) out.push_back(value);
  }
  return out;
}

}  // namespace keju
