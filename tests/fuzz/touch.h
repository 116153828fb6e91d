// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "weights/tensor_file.h"

namespace keju {

inline std::span<const std::byte> fuzz_bytes(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

// Reads the ends of every tensor, so that a sanitizer sees one that points elsewhere.
inline void touch(const TensorFile& file) {
  volatile unsigned sum = 0;
  for (const StoredTensor& tensor : file.tensors) {
    if (tensor.bytes == 0) continue;
    sum = sum + std::to_integer<unsigned>(tensor.data[0]) +
          std::to_integer<unsigned>(tensor.data[tensor.bytes - 1]);
  }
}

}  // namespace keju
