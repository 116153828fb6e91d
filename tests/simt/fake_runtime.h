// SPDX-License-Identifier: MIT
#pragma once

#include <keju_simt.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace keju::cuda {

// A card made of the CPU: device memory is heap memory of its own per allocation, filled with 0xFF;
// launches run on the SIMT interpreter at once; products are plain loops. Copies of a stream are
// kept back until something waits for them, so that a missing wait shows.
class FakeRuntime : public Runtime {
 public:
  struct Settings {
    int64_t total_bytes = int64_t{1} << 34;
    int major = 9;
    int index = 0;  // which of several cards
    // Calls by kind that fail, counted from 1; 0: never. Kinds: "facts", "allocate", "pinned",
    // "copy", "zero", "event", "wait", "launch", "gemm", "capture", "instantiate", "replay".
    std::map<std::string, int64_t> fail_at;
    int64_t lost_at = 0;  // from this call of any kind on, all fail; 0: never
    // Device memory can be touched by launches, copies and products of this card alone: anything
    // else dies of it. Costs a system call each, and memory is not used again.
    bool guarded = false;
  };
  // What tests read afterwards; outlives the runtime.
  struct Record {
    int64_t bytes_now = 0;
    int64_t bytes_most = 0;
    int64_t pinned_now = 0;
    int64_t pinned_most = 0;
    int64_t all_calls = 0;
    std::map<std::string, int64_t> calls;    // by kind
    std::map<std::string, int64_t> kernels;  // by the name given to check(), outside of graphs
    int64_t graphs_now = 0;
  };

  FakeRuntime(Settings settings, std::shared_ptr<Record> record);
  ~FakeRuntime() override;

  DeviceFacts facts() override;
  void* allocate_pinned(int64_t bytes) override;
  void release_pinned(void* memory) noexcept override;
  void copy_to_device(void* device, const void* pinned, int64_t bytes, Stream stream) override;
  void copy_to_host(void* host, const void* device, int64_t bytes) override;
  void set_zero(void* device, int64_t bytes) override;
  Event record(Stream stream) override;
  void wait_for(Event event) override;
  void make_wait(Stream stream, Event event) override;
  void drop(Event event) noexcept override;
  void* stream() override;
  void check(const char* kernel) override;
  void gemm(const GemmCall& call) override;
  void begin_capture() override;
  Graph end_capture() override;
  void abandon_capture() noexcept override;
  void replay(Graph graph) override;
  void drop_graph(Graph graph) noexcept override;

 protected:
  void* take_memory(int64_t bytes) override;
  void give_memory(void* memory) noexcept override;

 private:
  struct Copy {
    void* to;
    const void* from;
    int64_t bytes;
  };
  class Touch;  // device memory is open while one lives
  void call(const std::string& kind);
  void need_no_capture(const char* what) const;
  static void multiply(const GemmCall& call);
  void perform(size_t count);  // of the copy stream's oldest
  void open(bool yes) noexcept;
  void* fresh_device(int64_t bytes);

  Settings settings_;
  std::shared_ptr<Record> record_;
  std::map<void*, int64_t> device_;
  std::map<void*, int64_t> pinned_;
  std::vector<Copy> queue_;          // of kCopy
  int64_t performed_ = 0;            // copies taken out of the queue so far
  std::map<Event, int64_t> events_;  // how many copies stood before it
  Event next_event_ = 0;
  bool capturing_ = false;
  simt::Launches captured_;
  std::map<Graph, simt::Launches> graphs_;
  Graph next_graph_ = 0;
  std::byte* arena_ = nullptr;  // of guarded memory
  int64_t arena_used_ = 0;
  bool open_ = false;
};

}  // namespace keju::cuda
