// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace keju {

// 64-bit mixing for the open-addressing tables here: not for foreign keys that may be chosen to
// collide without bound (every table that uses it has a bounded probe or a bounded load).
inline uint64_t mix64(uint64_t a, uint64_t b) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t load64(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline uint64_t load32(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline uint64_t hash_bytes(const char* data, size_t size, uint64_t seed = 0) {
  uint64_t low = 0;
  uint64_t high = 0;
  if (size > 16) {
    for (size_t at = 0; at + 16 < size; at += 16) {
      seed = mix64(load64(data + at) ^ seed, load64(data + at + 8));
    }
    low = load64(data + size - 16);
    high = load64(data + size - 8);
  } else if (size >= 8) {
    low = load64(data);
    high = load64(data + size - 8);
  } else if (size >= 4) {
    low = load32(data);
    high = load32(data + size - 4);
  } else if (size > 0) {
    low = static_cast<uint64_t>(static_cast<uint8_t>(data[0])) << 16 |
          static_cast<uint64_t>(static_cast<uint8_t>(data[size / 2])) << 8 |
          static_cast<uint64_t>(static_cast<uint8_t>(data[size - 1]));
  }
  return mix64(mix64(low ^ seed, high + size), seed + 0xA0761D6478BD642Fu);
}

}  // namespace keju
