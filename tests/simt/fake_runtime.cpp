// SPDX-License-Identifier: MIT
#include "tests/simt/fake_runtime.h"

#include <cmath>
#include <cstring>
#include <new>

#include "base/error.h"

namespace keju::cuda {
namespace {

constexpr std::align_val_t kAlign{256};

float value_at(DType type, const void* data, int64_t i) {
  switch (type) {
    case DType::kF16:
      return f16_to_f32(static_cast<const uint16_t*>(data)[i]);
    case DType::kBF16:
      return bf16_to_f32(static_cast<const uint16_t*>(data)[i]);
    default:
      return static_cast<const float*>(data)[i];
  }
}

}  // namespace

FakeRuntime::FakeRuntime(Settings settings, std::shared_ptr<Record> record)
    : settings_(std::move(settings)), record_(std::move(record)) {}

FakeRuntime::~FakeRuntime() {
  for (const auto& [memory, bytes] : device_) ::operator delete(memory, kAlign);
  for (const auto& [memory, bytes] : pinned_) ::operator delete(memory, kAlign);
}

void FakeRuntime::call(const std::string& kind) {
  const int64_t now = ++record_->calls[kind];
  const auto it = settings_.fail_at.find(kind);
  if (it != settings_.fail_at.end() && it->second == now) {
    throw fail(Code::kDevice, "cuda: {}: injected failure of call {}", kind, now);
  }
}

DeviceFacts FakeRuntime::facts() {
  return {"interpreted card",
          settings_.major,
          0,
          settings_.total_bytes,
          settings_.total_bytes - record_->bytes_now,
          "interpreter"};
}

void* FakeRuntime::allocate(int64_t bytes) {
  call("allocate");
  if (record_->bytes_now + bytes > settings_.total_bytes) {
    throw fail(Code::kDevice,
               "cuda: memory: found {} bytes free of {}, need {}",
               settings_.total_bytes - record_->bytes_now,
               settings_.total_bytes,
               bytes);
  }
  void* memory = ::operator new(static_cast<size_t>(bytes), kAlign);
  std::memset(memory, 0xFF, static_cast<size_t>(bytes));
  device_[memory] = bytes;
  record_->bytes_now += bytes;
  record_->bytes_most = std::max(record_->bytes_most, record_->bytes_now);
  return memory;
}

void FakeRuntime::release(void* memory) noexcept {
  const auto it = device_.find(memory);
  if (it == device_.end()) std::abort();  // freed twice, or never allocated
  perform(queue_.size());                 // freeing waits for the card
  record_->bytes_now -= it->second;
  device_.erase(it);
  ::operator delete(memory, kAlign);
}

void* FakeRuntime::allocate_pinned(int64_t bytes) {
  call("allocate");
  void* memory = ::operator new(static_cast<size_t>(bytes), kAlign);
  pinned_[memory] = bytes;
  record_->pinned_now += bytes;
  record_->pinned_most = std::max(record_->pinned_most, record_->pinned_now);
  return memory;
}

void FakeRuntime::release_pinned(void* memory) noexcept {
  const auto it = pinned_.find(memory);
  if (it == pinned_.end()) std::abort();
  record_->pinned_now -= it->second;
  pinned_.erase(it);
  ::operator delete(memory, kAlign);
}

void FakeRuntime::copy_to_device(void* device, const void* pinned, int64_t bytes, Stream stream) {
  call("copy");
  if (stream == Stream::kCompute) {
    std::memcpy(device, pinned, static_cast<size_t>(bytes));
  } else {
    queue_.push_back({device, pinned, bytes});
  }
}

void FakeRuntime::perform(size_t count) {
  for (size_t i = 0; i < count; ++i)
    std::memcpy(queue_[i].to, queue_[i].from, static_cast<size_t>(queue_[i].bytes));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<int64_t>(count));
  performed_ += static_cast<int64_t>(count);
}

void FakeRuntime::copy_to_host(void* host, const void* device, int64_t bytes) {
  call("copy");
  std::memcpy(host, device, static_cast<size_t>(bytes));
}

void FakeRuntime::set_zero(void* device, int64_t bytes) {
  std::memset(device, 0, static_cast<size_t>(bytes));
}

Event FakeRuntime::record(Stream stream) {
  const int64_t before =
      stream == Stream::kCopy ? performed_ + static_cast<int64_t>(queue_.size()) : 0;
  events_[next_event_] = before;
  return next_event_++;
}

void FakeRuntime::wait_for(Event event) {
  const int64_t before = events_.at(event);
  if (before > performed_) perform(static_cast<size_t>(before - performed_));
}

void FakeRuntime::make_wait(Stream stream, Event event) {
  if (stream == Stream::kCompute) wait_for(event);
}

void FakeRuntime::drop(Event event) noexcept { events_.erase(event); }

void FakeRuntime::check(const char* kernel) {
  ++record_->kernels[kernel];
  call("check");
}

void FakeRuntime::gemm(const GemmCall& call_) {
  call("gemm");
  std::vector<float> row(static_cast<size_t>(call_.k));
  for (int64_t n = 0; n < call_.n; ++n) {
    for (int64_t k = 0; k < call_.k; ++k)
      row[static_cast<size_t>(k)] = value_at(call_.type, call_.w, n * call_.k + k);
    for (int64_t m = 0; m < call_.m; ++m) {
      float sum = 0;
      for (int64_t k = 0; k < call_.k; ++k) {
        sum = std::fma(value_at(call_.type, call_.x, m * call_.x_stride + k),
                       row[static_cast<size_t>(k)],
                       sum);
      }
      if (call_.bias != nullptr) sum += call_.bias[n];
      float& out = call_.out[m * call_.out_stride + n];
      out = call_.accumulate ? out + sum : sum;
    }
  }
}

}  // namespace keju::cuda
