// SPDX-License-Identifier: MIT
// The seam on a real card. The CUDA runtime is linked statically and looks for the driver itself,
// so that the program starts on machines without one; cuBLASLt is opened on demand.
#include <cuda_runtime.h>

#include <map>
#include <mutex>

#include "base/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/blas.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/runtime.h"

namespace keju::cuda {
namespace {

void need(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // a later check is not to report it again
  throw fail(Code::kDevice,
             "cuda: {}: found error {} ({}: {}), need none",
             what,
             static_cast<int>(error),
             cudaGetErrorName(error),
             cudaGetErrorString(error));
}

// Streams, events and launches belong to a device, and the current device to a thread: a runtime
// may be called by another thread than the one that made it, and a thread may call several.
void make_current(int device) {
  thread_local int current = -1;
  if (current == device) return;
  need(cudaSetDevice(device), "device");
  current = device;
}

class CardRuntime : public Runtime {
 public:
  explicit CardRuntime(int device) : device_(device) {
    make_current(device);
    need(cudaGetDeviceProperties(&properties_, device), "device properties");
    need(cudaStreamCreateWithFlags(&compute_, cudaStreamNonBlocking), "stream");
    need(cudaStreamCreateWithFlags(&copy_, cudaStreamNonBlocking), "stream");
    blas_ = std::make_unique<Blas>();
  }
  ~CardRuntime() override {
    for (const auto& [id, graph] : graphs_) cudaGraphExecDestroy(graph);
    for (const auto& [id, event] : events_) cudaEventDestroy(event);
    blas_.reset();
    cudaStreamDestroy(copy_);
    cudaStreamDestroy(compute_);
  }

  DeviceFacts facts() override {
    make_current(device_);
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    need(cudaMemGetInfo(&free_bytes, &total_bytes), "memory");
    int driver = 0;
    int runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    DeviceFacts facts;
    facts.name = properties_.name;
    facts.major = properties_.major;
    facts.minor = properties_.minor;
    facts.total_bytes = static_cast<int64_t>(total_bytes);
    facts.free_bytes = static_cast<int64_t>(free_bytes);
    facts.versions = "driver " + std::to_string(driver) + ", runtime " + std::to_string(runtime) +
                     ", cublasLt " + blas_->version();
    return facts;
  }

  void* allocate_pinned(int64_t bytes) override {
    make_current(device_);
    void* memory = nullptr;
    need(cudaMallocHost(&memory, static_cast<size_t>(bytes)), "pinned host memory");
    return memory;
  }
  void release_pinned(void* memory) noexcept override { cudaFreeHost(memory); }

  void copy_to_device(void* device, const void* pinned, int64_t bytes, Stream stream) override {
    make_current(device_);
    need(cudaMemcpyAsync(
             device, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, of(stream)),
         "copy to the card");
  }
  void copy_to_host(void* host, const void* device, int64_t bytes) override {
    make_current(device_);
    need(
        cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, compute_),
        "copy to the host");
    need(cudaStreamSynchronize(compute_), "copy to the host");
  }
  void set_zero(void* device, int64_t bytes) override {
    make_current(device_);
    need(cudaMemsetAsync(device, 0, static_cast<size_t>(bytes), compute_), "zeros");
  }

  Event record(Stream stream) override {
    make_current(device_);
    cudaEvent_t event = nullptr;
    need(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "event");
    need(cudaEventRecord(event, of(stream)), "event");
    events_[next_event_] = event;
    return next_event_++;
  }
  void wait_for(Event event) override {
    make_current(device_);
    need(cudaEventSynchronize(events_.at(event)), "wait");
  }
  void make_wait(Stream stream, Event event) override {
    make_current(device_);
    need(cudaStreamWaitEvent(of(stream), events_.at(event), 0), "wait");
  }
  void drop(Event event) noexcept override {
    const auto it = events_.find(event);
    if (it == events_.end()) return;
    cudaEventDestroy(it->second);
    events_.erase(it);
  }

  void* stream() override {
    make_current(device_);
    return compute_;
  }
  void check(const char* kernel) override { need(cudaGetLastError(), kernel); }
  void gemm(const GemmCall& call) override {
    make_current(device_);
    blas_->gemm(call, compute_);
  }

  void begin_capture() override {
    make_current(device_);
    need(cudaStreamBeginCapture(compute_, cudaStreamCaptureModeThreadLocal), "capture");
  }
  Graph end_capture() override {
    make_current(device_);
    cudaGraph_t captured = nullptr;
    need(cudaStreamEndCapture(compute_, &captured), "capture");
    cudaGraphExec_t graph = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&graph, captured, 0);
    cudaGraphDestroy(captured);
    need(error, "instantiate");
    graphs_[next_graph_] = graph;
    return next_graph_++;
  }
  void abandon_capture() noexcept override {
    cudaGraph_t captured = nullptr;
    cudaStreamEndCapture(compute_, &captured);
    if (captured != nullptr) cudaGraphDestroy(captured);
    cudaGetLastError();
  }
  void replay(Graph graph) override {
    make_current(device_);
    need(cudaGraphLaunch(graphs_.at(graph), compute_), "replay");
  }
  void drop_graph(Graph graph) noexcept override {
    const auto it = graphs_.find(graph);
    if (it == graphs_.end()) return;
    cudaGraphExecDestroy(it->second);  // one that runs is freed when it has ended
    graphs_.erase(it);
  }

 protected:
  void* take_memory(int64_t bytes) override {
    make_current(device_);
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      const DeviceFacts now = facts();
      throw fail(Code::kDevice,
                 "cuda: memory of {}: found {} MiB free of {}, need {} MiB in one piece. Hint: "
                 "fewer --step-rows or a "
                 "smaller --context need less",
                 now.name,
                 now.free_bytes >> 20,
                 now.total_bytes >> 20,
                 (bytes + (int64_t{1} << 20) - 1) >> 20);
    }
    need(error, "memory");
    return memory;
  }
  void give_memory(void* memory) noexcept override { cudaFree(memory); }

 private:
  cudaStream_t of(Stream stream) const { return stream == Stream::kCompute ? compute_ : copy_; }

  int device_;
  cudaDeviceProp properties_{};
  cudaStream_t compute_ = nullptr;
  cudaStream_t copy_ = nullptr;
  std::unique_ptr<Blas> blas_;
  std::map<Event, cudaEvent_t> events_;
  Event next_event_ = 0;
  std::map<Graph, cudaGraphExec_t> graphs_;
  Graph next_graph_ = 0;
};

}  // namespace

std::string card_absence() {
  static const std::string absence = [] {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    cudaGetLastError();
    if (error != cudaSuccess) return "no GPU (" + std::string(cudaGetErrorString(error)) + ")";
    return count > 0 ? Blas::absence() : std::string("no GPU");
  }();
  return absence;
}

int card_count() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  return error == cudaSuccess ? count : 0;
}

std::unique_ptr<Runtime> open_card(int device) {
  if (!card_absence().empty())
    throw fail(Code::kDevice,
               "cuda: found {}, need a GPU of compute capability 8.0 or later",
               card_absence());
  if (device < 0 || device >= card_count()) {
    throw fail(Code::kUsage, "--devices: found {}, need 0 to {}", device, card_count() - 1);
  }
  return std::make_unique<CardRuntime>(device);
}

}  // namespace keju::cuda

namespace keju {

std::string cuda_absence() { return cuda::card_absence(); }
int cuda_device_count() { return cuda::card_absence().empty() ? cuda::card_count() : 0; }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::make_unique<cuda::CudaBackend>(
      cuda::open_card(options.device), options.exact, options.graphs);
}

}  // namespace keju
