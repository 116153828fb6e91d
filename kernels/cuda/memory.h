// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/index.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"

namespace keju::cuda {

// Device memory that frees itself.
class Memory {
 public:
  Memory() = default;
  Memory(Runtime& runtime, int64_t bytes);
  ~Memory() { reset(); }
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void reset() noexcept;
  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  Runtime* runtime_ = nullptr;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

// Scratch that only ever grows; growing loses the contents.
class Room {
 public:
  explicit Room(Runtime& runtime) : runtime_(runtime) {}
  std::byte* bytes(int64_t count);
  template <typename T>
  T* of(int64_t count) {
    return reinterpret_cast<T*>(bytes(count * static_cast<int64_t>(sizeof(T))));
  }

 private:
  Runtime& runtime_;
  Memory memory_;
};

// A ring of pinned buffers through which all host data goes to the card, so that reading files and
// copying overlap and no second copy of the weights ever stands on the host. Data sent is seen by
// everything queued on kCompute afterwards.
class PinnedRing {
 public:
  static constexpr int kSlots = 3;
  PinnedRing(Runtime& runtime, Stream stream, int64_t slot_bytes);
  ~PinnedRing();
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;

  // Takes the buffers, which otherwise come as they are needed.
  void reserve();
  void send(void* device, const void* host, int64_t bytes);
  // Rows that lie apart on the host, side by side on the device.
  void send_rows(
      void* device, const void* host, int64_t rows, int64_t row_bytes, int64_t stride_bytes);
  // Sends what has been gathered and makes kCompute wait for it.
  void flush();

 private:
  struct Slot {
    std::byte* data = nullptr;
    Event sent = -1;
  };
  void submit();

  Runtime& runtime_;
  Stream stream_;
  int64_t slot_bytes_;
  Slot slots_[kSlots];
  int slot_ = 0;
  int64_t filled_ = 0;
  std::byte* target_ = nullptr;  // device memory that the gathered bytes go to
};

class CudaVector : public Vector {
 public:
  CudaVector(Runtime& runtime, PinnedRing& ring, std::span<const float> values);

 private:
  Memory memory_;
};

// Rows as the file stores them, or as they were expanded.
class CudaMatrix : public Matrix {
 public:
  CudaMatrix(Runtime& runtime, PinnedRing& ring, const MatrixSource& source);
  // Not yet filled.
  CudaMatrix(Runtime& runtime, DType type, int64_t row_count, int64_t col_count);
  std::byte* row(int64_t index) { return memory_.data() + index * row_bytes_; }
  StoredRows stored() const { return stored(0, rows); }
  StoredRows stored(int64_t first, int64_t count) const;

 private:
  int64_t row_bytes_ = 0;
  Memory memory_;
};

// Pages in chunks, one per growth, so that growing moves nothing; the card reads their bases from
// a table.
class CudaKvPages : public KvPages {
 public:
  CudaKvPages(
      Runtime& runtime, PinnedRing& ring, const KvShape& kv_shape, DType type, int64_t page_count);
  void grow(int64_t page_count);
  PageView view(int64_t layer) const;

 private:
  Runtime& runtime_;
  PinnedRing& ring_;
  DType type_;
  int64_t page_elements_ = 0;
  std::vector<PageLayer> layers_;
  std::vector<Memory> chunks_;
  std::vector<void*> bases_;
  Memory table_;
};

}  // namespace keju::cuda
