// SPDX-License-Identifier: MIT
#include "engine/sampler.h"

#include <string>

#include "base/sha256.h"

namespace keju {

uint64_t sampling_stream(std::string_view key, int64_t sample) {
  const std::string hex = sha256_hex(std::string(key) + "#" + std::to_string(sample));
  return std::stoull(hex.substr(0, 16), nullptr, 16);
}

}  // namespace keju
