// SPDX-License-Identifier: MIT
#include "kernels/cpu/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace keju {
namespace {

constexpr int64_t kHugePage = int64_t{1} << 21;

}  // namespace

Buffer::Buffer(int64_t bytes) : bytes_(bytes) {
  KEJU_CHECK(bytes >= 0, "negative size");
  if (bytes == 0) return;
  void* memory = mmap(nullptr,
                      static_cast<size_t>(bytes),
                      PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1,
                      0);
  if (memory == MAP_FAILED) {
    throw fail(Code::kDevice, "cpu: memory: found no {} MiB free in one piece", bytes >> 20);
  }
  // A wish, not a need: fewer TLB misses when weights are streamed.
  if (bytes >= 4 * kHugePage) madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  data_ = static_cast<std::byte*>(memory);
}

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::byte* Scratch::bytes(int64_t count) {
  if (count > buffer_.bytes()) {
    const int64_t wanted = std::max(count, buffer_.bytes() + buffer_.bytes() / 2);
    buffer_ = Buffer();  // before the new one, so that both are never resident
    buffer_ = Buffer(wanted);
  }
  return buffer_.data();
}

float* Scratch::floats(int64_t count) {
  return reinterpret_cast<float*>(bytes(count * static_cast<int64_t>(sizeof(float))));
}

CpuVector::CpuVector(std::span<const float> values) : storage_(values.begin(), values.end()) {
  size = static_cast<int64_t>(storage_.size());
  data = storage_.data();
}

CpuKvPages::CpuKvPages(const KvShape& kv_shape, int64_t page_count) {
  shape = kv_shape;
  int64_t at = 0;
  for (int64_t i = 0; i < shape.layers; ++i) {
    KvLayer layer{shape.kv_heads, shape.k_size, shape.v_size, 0, 0};
    if (!shape.per_layer.empty()) {
      const KvShape::Layer& own = shape.per_layer[static_cast<size_t>(i)];
      layer = {own.kv_heads, own.k_size, own.v_size, 0, 0};
    }
    layer.keys = at;
    at += layer.kv_heads * layer.k_size * kPagePositions;
    layer.values = at;
    at += layer.kv_heads * layer.v_size * kPagePositions;
    layers_.push_back(layer);
  }
  page_bytes = at * static_cast<int64_t>(sizeof(float));
  grow(page_count);
}

void CpuKvPages::grow(int64_t page_count) {
  if (page_count <= pages) return;
  const int64_t added = page_count - pages;
  // Vector kernels read whole vectors of values, and so up to 15 floats past the last one.
  Buffer chunk(added * page_bytes + 64);
  float* base = reinterpret_cast<float*>(chunk.data());
  bases_.reserve(static_cast<size_t>(page_count));
  const int64_t page_floats = page_bytes / static_cast<int64_t>(sizeof(float));
  for (int64_t i = 0; i < added; ++i) bases_.push_back(base + i * page_floats);
  chunks_.push_back(std::move(chunk));
  pages = page_count;
}

}  // namespace keju
