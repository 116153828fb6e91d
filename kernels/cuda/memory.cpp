// SPDX-License-Identifier: MIT
#include "kernels/cuda/memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace keju::cuda {

Memory::Memory(Runtime& runtime, int64_t bytes)
    : runtime_(&runtime),
      data_(static_cast<std::byte*>(runtime.allocate(std::max<int64_t>(bytes, 1)))),
      bytes_(bytes) {}

Memory::Memory(Memory&& other) noexcept
    : runtime_(other.runtime_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(runtime_, other.runtime_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void Memory::reset() noexcept {
  if (data_ != nullptr) runtime_->release(data_);
  data_ = nullptr;
  bytes_ = 0;
}

std::byte* Room::bytes(int64_t count) {
  if (count > memory_.bytes()) {
    const int64_t wanted = std::max(count, memory_.bytes() + memory_.bytes() / 2);
    memory_.reset();  // before the new one, so that both never stand side by side
    memory_ = Memory(runtime_, wanted);
  }
  return memory_.data();
}

PinnedRing::PinnedRing(Runtime& runtime, Stream stream, int64_t slot_bytes)
    : runtime_(runtime), stream_(stream), slot_bytes_(slot_bytes) {}

PinnedRing::~PinnedRing() {
  for (const Slot& slot : slots_) {
    if (slot.data == nullptr) continue;
    if (slot.sent >= 0) {
      try {
        runtime_.wait_for(slot.sent);
      } catch (const Error&) {  // a lost device has nothing left to copy
      }
      runtime_.drop(slot.sent);
    }
    runtime_.release_pinned(slot.data);
  }
}

void PinnedRing::reserve() {
  for (Slot& slot : slots_) {
    if (slot.data == nullptr)
      slot.data = static_cast<std::byte*>(runtime_.allocate_pinned(slot_bytes_));
  }
}

void PinnedRing::send(void* device, const void* host, int64_t bytes) {
  const std::byte* from = static_cast<const std::byte*>(host);
  std::byte* to = static_cast<std::byte*>(device);
  while (bytes > 0) {
    if (target_ != nullptr && to != target_ + filled_) submit();
    Slot& slot = slots_[slot_];
    if (target_ == nullptr) {
      if (slot.data == nullptr)
        slot.data = static_cast<std::byte*>(runtime_.allocate_pinned(slot_bytes_));
      if (slot.sent >= 0) {
        runtime_.wait_for(slot.sent);
        runtime_.drop(std::exchange(slot.sent, -1));
      }
      target_ = to;
    }
    const int64_t now = std::min(bytes, slot_bytes_ - filled_);
    std::memcpy(slot.data + filled_, from, static_cast<size_t>(now));
    filled_ += now;
    from += now;
    to += now;
    bytes -= now;
    if (filled_ == slot_bytes_) submit();
  }
}

void PinnedRing::send_rows(
    void* device, const void* host, int64_t rows, int64_t row_bytes, int64_t stride_bytes) {
  if (stride_bytes == row_bytes) return send(device, host, rows * row_bytes);
  for (int64_t r = 0; r < rows; ++r) {
    send(static_cast<std::byte*>(device) + r * row_bytes,
         static_cast<const std::byte*>(host) + r * stride_bytes,
         row_bytes);
  }
}

void PinnedRing::submit() {
  if (target_ == nullptr) return;
  Slot& slot = slots_[slot_];
  runtime_.copy_to_device(target_, slot.data, filled_, stream_);
  slot.sent = runtime_.record(stream_);
  if (stream_ != Stream::kCompute) runtime_.make_wait(Stream::kCompute, slot.sent);
  target_ = nullptr;
  filled_ = 0;
  slot_ = (slot_ + 1) % kSlots;
}

void PinnedRing::flush() { submit(); }

CudaVector::CudaVector(Runtime& runtime, PinnedRing& ring, std::span<const float> values)
    : memory_(runtime, static_cast<int64_t>(values.size_bytes())) {
  size = static_cast<int64_t>(values.size());
  data = reinterpret_cast<const float*>(memory_.data());
  ring.send(memory_.data(), values.data(), static_cast<int64_t>(values.size_bytes()));
  ring.flush();
}

CudaMatrix::CudaMatrix(Runtime& runtime, DType type, int64_t row_count, int64_t col_count) {
  rows = row_count;
  cols = col_count;
  dtype = type;
  row_bytes_ = row_bytes(dtype, cols);
  memory_ = Memory(runtime, rows * row_bytes_);
  resident_bytes = rows * row_bytes_;
}

CudaMatrix::CudaMatrix(Runtime& runtime, PinnedRing& ring, const MatrixSource& source)
    : CudaMatrix(runtime, source.dtype, source.rows(), source.cols) {
  std::byte* to = memory_.data();
  for (const MatrixSource::Piece& piece : source.pieces) {
    ring.send_rows(to, piece.data, piece.rows, row_bytes_, piece.row_stride_bytes);
    to += piece.rows * row_bytes_;
  }
  ring.flush();
}

StoredRows CudaMatrix::stored(int64_t first, int64_t count) const {
  return {reinterpret_cast<const uint8_t*>(memory_.data()) + first * row_bytes_,
          dtype,
          count,
          cols,
          row_bytes_};
}

CudaKvPages::CudaKvPages(
    Runtime& runtime, PinnedRing& ring, const KvShape& kv_shape, DType type, int64_t page_count)
    : runtime_(runtime), ring_(ring), type_(type) {
  shape = kv_shape;
  for (int64_t i = 0; i < shape.layers; ++i) {
    KvShape::Layer own{shape.kv_heads, shape.k_size, shape.v_size};
    if (!shape.per_layer.empty()) own = shape.per_layer[static_cast<size_t>(i)];
    PageLayer layer;
    layer.kv_heads = static_cast<int32_t>(own.kv_heads);
    layer.k_size = static_cast<int32_t>(own.k_size);
    layer.v_size = static_cast<int32_t>(own.v_size);
    layer.keys = page_elements_;
    layer.values = layer.keys + own.kv_heads * own.k_size * kPage;
    page_elements_ += layer_elements(layer);
    layers_.push_back(layer);
  }
  page_bytes = row_bytes(type, page_elements_);
  grow(page_count);
}

void CudaKvPages::grow(int64_t page_count) {
  if (page_count <= pages) return;
  const int64_t added = page_count - pages;
  Memory chunk(runtime_, added * page_bytes);
  runtime_.set_zero(chunk.data(), chunk.bytes());
  Memory table(runtime_, page_count * static_cast<int64_t>(sizeof(void*)));
  for (int64_t i = 0; i < added; ++i) bases_.push_back(chunk.data() + i * page_bytes);
  chunks_.push_back(std::move(chunk));
  ring_.send(table.data(), bases_.data(), page_count * static_cast<int64_t>(sizeof(void*)));
  ring_.flush();
  table_ = std::move(table);  // freeing the old one waits for its readers
  pages = page_count;
}

PageView CudaKvPages::view(int64_t layer) const {
  return {
      reinterpret_cast<void* const*>(table_.data()), layers_[static_cast<size_t>(layer)], type_};
}

}  // namespace keju::cuda
