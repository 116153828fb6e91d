// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace keju {

// Page-aligned memory straight from the operating system: zero-filled, and resident only where it
// has been touched. Errors: Error(kDevice) when there is none left.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Scratch memory that only ever grows, so that a steady state allocates nothing. Growing loses the
// contents.
class Scratch {
 public:
  float* floats(int64_t count);
  std::byte* bytes(int64_t count);

 private:
  Buffer buffer_;
};

class CpuVector : public Vector {
 public:
  explicit CpuVector(std::span<const float> values);

 private:
  std::vector<float> storage_;
};

// Where one layer's keys and values stand inside a page, in floats.
struct KvLayer {
  int64_t kv_heads = 0;
  int64_t k_size = 0;
  int64_t v_size = 0;
  int64_t keys =
      0;  // offset of [kv_heads][k_size][64]: positions innermost, so lanes are positions
  int64_t values = 0;  // offset of [kv_heads][64][v_size]
};

// Pages come in chunks, one per growth, so that growing moves nothing.
class CpuKvPages : public KvPages {
 public:
  CpuKvPages(const KvShape& kv_shape, int64_t page_count);
  void grow(int64_t page_count);

  const KvLayer& layer(int64_t index) const { return layers_[static_cast<size_t>(index)]; }
  float* page(int32_t id) const { return bases_[static_cast<size_t>(id)]; }
  // Bases of all pages by id, for kernels that know no containers.
  float* const* bases() const { return bases_.data(); }
  float* keys(int32_t id, const KvLayer& at, int64_t head) const {
    return page(id) + at.keys + head * at.k_size * kPagePositions;
  }
  float* values(int32_t id, const KvLayer& at, int64_t head) const {
    return page(id) + at.values + head * at.v_size * kPagePositions;
  }

 private:
  std::vector<KvLayer> layers_;
  std::vector<Buffer> chunks_;
  std::vector<float*> bases_;
};

}  // namespace keju
