// SPDX-License-Identifier: MIT
#include "tests/simt/fake_runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/error.h"

namespace keju::cuda {
namespace {

constexpr std::align_val_t kAlign{256};
constexpr size_t kArena = size_t{1} << 33;  // of addresses; what is not touched costs nothing

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

class FakeRuntime::Touch {
 public:
  explicit Touch(FakeRuntime& runtime) : runtime_(runtime), was_open_(runtime.open_) {
    runtime_.open(true);
  }
  ~Touch() { runtime_.open(was_open_); }
  Touch(const Touch&) = delete;
  Touch& operator=(const Touch&) = delete;

 private:
  FakeRuntime& runtime_;
  bool was_open_;
};

FakeRuntime::FakeRuntime(Settings settings, std::shared_ptr<Record> record)
    : settings_(std::move(settings)), record_(std::move(record)) {
  if (!settings_.guarded) return;
  void* const arena =
      mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED) throw std::bad_alloc();
  arena_ = static_cast<std::byte*>(arena);
}

FakeRuntime::~FakeRuntime() {
  if (capturing_) simt::note_launches(nullptr);
  if (arena_ != nullptr) {
    munmap(arena_, kArena);
  } else {
    for (const auto& [memory, bytes] : device_) ::operator delete(memory, kAlign);
  }
  for (const auto& [memory, bytes] : pinned_) ::operator delete(memory, kAlign);
}

void FakeRuntime::open(bool yes) noexcept {
  if (arena_ == nullptr || open_ == yes) return;
  const size_t used = (static_cast<size_t>(arena_used_) + 4095) / 4096 * 4096;
  if (used > 0) mprotect(arena_, used, yes ? PROT_READ | PROT_WRITE : PROT_NONE);
  open_ = yes;
}

void FakeRuntime::call(const std::string& kind) {
  const int64_t now = ++record_->calls[kind];
  const int64_t all = ++record_->all_calls;
  if (settings_.lost_at > 0 && all >= settings_.lost_at) {
    throw fail(Code::kDevice,
               "cuda: {}: device {} lost at call {}, injected",
               kind,
               settings_.index,
               settings_.lost_at);
  }
  const auto it = settings_.fail_at.find(kind);
  if (it != settings_.fail_at.end() && it->second == now)
    throw fail(Code::kDevice, "cuda: {}: injected failure of call {}", kind, now);
}

DeviceFacts FakeRuntime::facts() {
  call("facts");
  return {"interpreted card " + std::to_string(settings_.index),
          settings_.major,
          0,
          settings_.total_bytes,
          settings_.total_bytes - record_->bytes_now,
          "interpreter"};
}

void* FakeRuntime::fresh_device(int64_t bytes) {
  if (arena_ == nullptr) return ::operator new(static_cast<size_t>(bytes), kAlign);
  open(false);
  std::byte* const memory = arena_ + arena_used_;
  arena_used_ += (bytes + 255) / 256 * 256;
  if (static_cast<size_t>(arena_used_) > kArena) throw std::bad_alloc();
  return memory;
}

void FakeRuntime::need_no_capture(const char* what) const {
  KEJU_CHECK(!capturing_, std::string(what) + " while launches are captured");
}

void* FakeRuntime::take_memory(int64_t bytes) {
  need_no_capture("memory taken");
  call("allocate");
  if (record_->bytes_now + bytes > settings_.total_bytes) {
    throw fail(Code::kDevice,
               "cuda: memory: found {} bytes free of {}, need {}",
               settings_.total_bytes - record_->bytes_now,
               settings_.total_bytes,
               bytes);
  }
  const bool was_open = open_;
  void* const memory = fresh_device(bytes);
  {
    const Touch touch(*this);
    std::memset(memory, 0xFF, static_cast<size_t>(bytes));
  }
  open(was_open);
  device_[memory] = bytes;
  record_->bytes_now += bytes;
  record_->bytes_most = std::max(record_->bytes_most, record_->bytes_now);
  return memory;
}

void FakeRuntime::give_memory(void* memory) noexcept {
  const auto it = device_.find(memory);
  if (it == device_.end()) std::abort();  // freed twice, or never allocated
  perform(queue_.size());                 // freeing waits for the card
  {
    const Touch touch(*this);
    std::memset(memory, 0xFF, static_cast<size_t>(it->second));
  }
  record_->bytes_now -= it->second;
  device_.erase(it);
  if (arena_ == nullptr) ::operator delete(memory, kAlign);
}

void* FakeRuntime::allocate_pinned(int64_t bytes) {
  call("pinned");
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
  need_no_capture("copy to the card");
  call("copy");
  if (stream == Stream::kCompute) {
    const Touch touch(*this);
    std::memcpy(device, pinned, static_cast<size_t>(bytes));
  } else {
    queue_.push_back({device, pinned, bytes});
  }
}

void FakeRuntime::perform(size_t count) {
  const Touch touch(*this);
  for (size_t i = 0; i < count; ++i)
    std::memcpy(queue_[i].to, queue_[i].from, static_cast<size_t>(queue_[i].bytes));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<int64_t>(count));
  performed_ += static_cast<int64_t>(count);
}

void FakeRuntime::copy_to_host(void* host, const void* device, int64_t bytes) {
  need_no_capture("copy to the host");
  call("copy");
  const Touch touch(*this);
  std::memcpy(host, device, static_cast<size_t>(bytes));
}

void FakeRuntime::set_zero(void* device, int64_t bytes) {
  need_no_capture("zeros");
  call("zero");
  const Touch touch(*this);
  std::memset(device, 0, static_cast<size_t>(bytes));
}

Event FakeRuntime::record(Stream stream) {
  need_no_capture("event");
  call("event");
  const int64_t before =
      stream == Stream::kCopy ? performed_ + static_cast<int64_t>(queue_.size()) : 0;
  events_[next_event_] = before;
  return next_event_++;
}

void FakeRuntime::wait_for(Event event) {
  need_no_capture("wait");
  call("wait");
  const int64_t before = events_.at(event);
  if (before > performed_) perform(static_cast<size_t>(before - performed_));
}

void FakeRuntime::make_wait(Stream stream, Event event) {
  if (stream == Stream::kCompute) wait_for(event);
}

void FakeRuntime::drop(Event event) noexcept { events_.erase(event); }

void* FakeRuntime::stream() {
  open(true);
  return nullptr;
}

void FakeRuntime::check(const char* kernel) {
  open(false);
  if (!capturing_) ++record_->kernels[kernel];
  call("launch");
}

void FakeRuntime::begin_capture() {
  need_no_capture("capture");
  call("capture");
  capturing_ = true;
  captured_.clear();
  simt::note_launches(&captured_);
}

Graph FakeRuntime::end_capture() {
  abandon_capture();
  call("instantiate");
  graphs_[next_graph_] = std::move(captured_);
  ++record_->graphs_now;
  return next_graph_++;
}

void FakeRuntime::abandon_capture() noexcept {
  capturing_ = false;
  simt::note_launches(nullptr);
}

void FakeRuntime::replay(Graph graph) {
  need_no_capture("replay");
  call("replay");
  const Touch touch(*this);
  for (const auto& work : graphs_.at(graph)) work();
}

void FakeRuntime::drop_graph(Graph graph) noexcept {
  record_->graphs_now -= static_cast<int64_t>(graphs_.erase(graph));
}

void FakeRuntime::gemm(const GemmCall& call_) {
  call("gemm");
  if (capturing_) return captured_.push_back([call_] { multiply(call_); });
  const Touch touch(*this);
  multiply(call_);
}

// Over k ascending for each output; rows side by side so that a compiler can take them together.
void FakeRuntime::multiply(const GemmCall& call_) {
  const auto rows = static_cast<size_t>(call_.m);
  std::vector<float> columns(rows * static_cast<size_t>(call_.k));
  for (int64_t m = 0; m < call_.m; ++m) {
    for (int64_t k = 0; k < call_.k; ++k)
      columns[static_cast<size_t>(k) * rows + static_cast<size_t>(m)] =
          value_at(call_.type, call_.x, m * call_.x_stride + k);
  }
  std::vector<float> sums(rows);
  for (int64_t n = 0; n < call_.n; ++n) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int64_t k = 0; k < call_.k; ++k) {
      const float weight = value_at(call_.type, call_.w, n * call_.k + k);
      const float* const column = &columns[static_cast<size_t>(k) * rows];
      for (size_t m = 0; m < rows; ++m) sums[m] += column[m] * weight;
    }
    for (int64_t m = 0; m < call_.m; ++m) {
      float sum = sums[static_cast<size_t>(m)];
      if (call_.bias != nullptr) sum += call_.bias[n];
      float& out = call_.out[m * call_.out_stride + n];
      out = call_.accumulate ? out + sum : sum;
    }
  }
}

}  // namespace keju::cuda
