// SPDX-License-Identifier: MIT
#include "kernels/cpu/cpu_base.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "kernels/cpu/lanes_math.h"

namespace keju {

float fold_lanes(const float (&lanes)[16]) {
  float fold[16];
  std::memcpy(fold, lanes, sizeof fold);
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) fold[i] = fold[i] + fold[i + half];
  }
  return fold[0];
}

CpuBase::CpuBase(int threads, BackendFacts facts)
    : pool_(threads),
      facts_(std::move(facts)),
      worker_scratch_(static_cast<size_t>(threads)),
      sample_scratch_(static_cast<size_t>(threads)) {}

std::unique_ptr<Vector> CpuBase::make_vector(std::span<const float> values) {
  return std::make_unique<CpuVector>(values);
}

std::unique_ptr<KvPages> CpuBase::make_kv_pages(const KvShape& shape, int64_t pages) {
  return std::make_unique<CpuKvPages>(shape, pages);
}

void CpuBase::grow_kv_pages(KvPages& kv, int64_t pages) {
  static_cast<CpuKvPages&>(kv).grow(pages);
}

void CpuBase::copy_pages(KvPages& kv, int64_t layer, std::span<const PageCopy> copies) {
  CpuKvPages& cpu = static_cast<CpuKvPages&>(kv);
  const KvLayer& at = cpu.layer(layer);
  for (const PageCopy& copy : copies) {
    KEJU_CHECK(copy.from >= 0 && copy.from < kv.pages && copy.to >= 0 && copy.to < kv.pages,
               "page id out of range");
    KEJU_CHECK(copy.positions >= 0 && copy.positions <= kPagePositions, "positions of a page");
    const size_t slots = static_cast<size_t>(copy.positions);
    const float* keys = cpu.keys(copy.from, at, 0);
    float* keys_to = cpu.keys(copy.to, at, 0);
    for (int64_t e = 0; e < at.kv_heads * at.k_size; ++e) {
      std::memcpy(keys_to + e * kPagePositions, keys + e * kPagePositions, slots * sizeof(float));
    }
    for (int64_t h = 0; h < at.kv_heads; ++h) {
      std::memcpy(cpu.values(copy.to, at, h),
                  cpu.values(copy.from, at, h),
                  slots * static_cast<size_t>(at.v_size) * sizeof(float));
    }
  }
}

float* CpuBase::allocate(int64_t elements) {
  const size_t bytes = static_cast<size_t>(std::max<int64_t>(elements, 1)) * sizeof(float);
  constexpr size_t kHugePage = size_t{1} << 21;
  const bool large = bytes >= kHugePage / 2;
  const size_t align = large ? kHugePage : 64;
  void* memory = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (memory == nullptr) {
    throw fail(Code::kDevice, "cpu: memory: found no {} MiB free in one piece", bytes >> 20);
  }
  // A wish, not a need: rows of results lie whole pages apart.
  if (large) madvise(memory, bytes, MADV_HUGEPAGE);
  return static_cast<float*>(memory);
}

void CpuBase::release(float* memory) { std::free(memory); }

void CpuBase::download(const float* device, int64_t elements, float* host) {
  std::memcpy(host, device, static_cast<size_t>(elements) * sizeof(float));
}

void CpuBase::upload(const float* host, int64_t elements, float* device) {
  std::memcpy(device, host, static_cast<size_t>(elements) * sizeof(float));
}

void CpuBase::sigmoid_scale(Rows x, Rows gate) {
  for (int64_t t = 0; t < x.count; ++t) {
    const float scale = sigmoid_lanes(gate.data[t * gate.stride]);
    float* row = x.data + t * x.stride;
    for (int64_t d = 0; d < x.width; ++d) row[d] = row[d] * scale;
  }
}

void CpuBase::gather(Rows x, std::span<const int32_t> rows, Rows out) {
  for (size_t i = 0; i < rows.size(); ++i) {
    std::memcpy(out.data + static_cast<int64_t>(i) * out.stride,
                x.data + rows[i] * x.stride,
                static_cast<size_t>(x.width) * sizeof(float));
  }
}

}  // namespace keju
