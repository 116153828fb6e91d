// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/dtype.h"

// The one seam between keju's CUDA code and NVIDIA's: memory, streams, events, graphs and cuBLASLt.
// The card's implementation is runtime_cuda.cpp; the tests' one runs the kernels on the CPU, keeps
// copies back as long as the order of streams allows, and fails on demand.
//
// One thread calls a runtime at a time. Errors: Error(kDevice), with numbers where there are any.
namespace keju::cuda {

struct DeviceFacts {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int major = 0;     // compute capability
  int minor = 0;
  int64_t total_bytes = 0;
  int64_t free_bytes = 0;
  std::string versions;  // driver, runtime and cuBLASLt, for the record
};

enum class Stream { kCompute, kCopy };
using Event = int;
using Graph = int;

// out[m, n] = x[m, k] · w[n, k]ᵀ, plus bias[n] if there is one, plus out if `accumulate`. Inputs
// are of `type` (F32, BF16 or F16), row-major; sums, bias and out are float32. Each output is one
// sum over k in an order that does not depend on m: no split over k, no atomics, TF32 never.
struct GemmCall {
  int64_t m = 0, n = 0, k = 0;
  DType type = DType::kF32;
  const void* x = nullptr;
  int64_t x_stride = 0;  // elements
  const void* w = nullptr;
  const float* bias = nullptr;
  bool accumulate = false;
  float* out = nullptr;
  int64_t out_stride = 0;
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual DeviceFacts facts() = 0;

  // Device memory, aligned to 256 bytes, uninitialised.
  void* allocate(int64_t bytes) {
    ++memory_changes_;
    return take_memory(bytes);
  }
  void release(void* memory) noexcept {
    ++memory_changes_;
    give_memory(memory);
  }
  // How often device memory has been taken or given back. As long as this stands still, pointers
  // that a graph holds are good.
  int64_t memory_changes() const { return memory_changes_; }
  // Host memory that copies can be taken from while the caller goes on.
  virtual void* allocate_pinned(int64_t bytes) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;

  // Queued; `pinned` must hold still until an event recorded after it has come.
  virtual void copy_to_device(void* device, const void* pinned, int64_t bytes, Stream stream) = 0;
  // After everything queued on kCompute; waits. Any host memory.
  virtual void copy_to_host(void* host, const void* device, int64_t bytes) = 0;
  virtual void set_zero(void* device, int64_t bytes) = 0;  // queued on kCompute

  virtual Event record(Stream stream) = 0;
  virtual void wait_for(Event event) = 0;                  // the host waits
  virtual void make_wait(Stream stream, Event event) = 0;  // the stream waits
  virtual void drop(Event event) noexcept = 0;

  // For launches: kCompute as cudaStream_t.
  virtual void* stream() = 0;
  // After a launch: what went wrong with it or with any before it.
  virtual void check(const char* kernel) = 0;
  virtual void gemm(const GemmCall& call) = 0;  // queued on kCompute

  // From begin_capture on, launches and products are not done but noted down with their arguments;
  // end_capture makes a graph of them, abandon_capture forgets them. In between nothing else may be
  // asked for but stream() and check().
  virtual void begin_capture() = 0;
  virtual Graph end_capture() = 0;
  virtual void abandon_capture() noexcept = 0;
  virtual void replay(Graph graph) = 0;  // queued on kCompute
  virtual void drop_graph(Graph graph) noexcept = 0;

 protected:
  virtual void* take_memory(int64_t bytes) = 0;
  virtual void give_memory(void* memory) noexcept = 0;

 private:
  int64_t memory_changes_ = 0;
};

// Why this machine has no card that keju can use, "" if it has one. Looks once.
std::string card_absence();

// Cards that the driver shows; 0 without one.
int card_count();

// The card `device`. Errors: Error(kDevice) with card_absence()'s line.
std::unique_ptr<Runtime> open_card(int device);

}  // namespace keju::cuda
