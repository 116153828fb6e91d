// SPDX-License-Identifier: MIT
// The scheduler of the SIMT interpreter. Compiled without ThreadSanitizer's instrumentation, and
// calling no function that it intercepts on a kernel's memory: its own accesses are not the
// kernel's.
#include <keju_simt.h>
#include <sys/mman.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "tests/simt/sanitizers.h"

namespace keju::simt {
namespace {

namespace fiber = boost::context::detail;

constexpr size_t kStack = size_t{1} << 18;

enum class State { kReady, kAtBarrier, kAtWarp, kFinished };

struct AsyncCopy {
  void* to;
  const void* from;
  size_t bytes;
  size_t valid;
};

struct Thread {
  char* stack = nullptr;
  fiber::fcontext_t context = nullptr;
  void* asan = nullptr;  // AddressSanitizer's fake stack while the thread is not running
  void* tsan = nullptr;
  int index = 0;
  State state = State::kFinished;
  const char* waits_for = "";
  std::source_location at;
  unsigned turn = 0;            // which of the warp's two sets of deposits is next
  std::vector<AsyncCopy> open;  // not yet committed
  std::vector<std::vector<AsyncCopy>> groups;
};

struct Warp {
  Deposit deposits[2][kWarp];
  int arrived = 0;
  const char* what = "";
  std::source_location at;
};

struct SharedArray {
  const char* file;
  int line;
  size_t size;
  size_t bytes;
  void* memory;
};

// What ThreadSanitizer takes a barrier's order from: one word for the block and one for each warp.
// Blocks order nothing between them, so the next block has others; far apart they come again.
constexpr int64_t kWordSets = 1024;
constexpr int kWordsOfBlock = 1 + 1024 / kWarp;

struct Machine {
  // Blocks take turns with two crews of `count` threads each where ThreadSanitizer watches: to it a
  // fiber is one thread, and what one thread does in two blocks is in order.
  std::vector<std::unique_ptr<Thread>> threads;
  int crew = 0;
  std::vector<Warp> warps;
  int count = 0;    // threads of a block
  int arrived = 0;  // at the block's barrier
  std::source_location barrier_at;
  std::vector<int64_t> words = std::vector<int64_t>(kWordSets * kWordsOfBlock);
  int64_t block = 0;  // of the launch, counted
  char start_word = 0, end_word = 0;
  std::vector<SharedArray> shared;  // room for all is there before a fiber runs
  // Memory comes from the scheduler alone: to ThreadSanitizer an allocation is an access.
  size_t wanted_bytes = 0;
  void* granted = nullptr;
  char grant_word = 0;
  std::vector<void*> garbage;  // shared memory of blocks that are done
  void* dynamic = nullptr;
  size_t dynamic_bytes = 0;
  size_t shared_bytes = 0;
  Thread* running = nullptr;
  fiber::fcontext_t scheduler = nullptr;
  void* scheduler_asan = nullptr;
  const void* scheduler_stack = nullptr;
  size_t scheduler_stack_bytes = 0;
  void* scheduler_tsan = nullptr;
  std::string fault;
  const char* broken = nullptr;  // what a thread has reported …
  int broken_by = 0;             // … and which
  const char* met = "";          // two instructions that do not belong together
  std::source_location met_at, own_at;
  void (*body)(const void*) = nullptr;
  const void* closure = nullptr;
  bool busy = false;
  bool stacks_dirty = false;
  Order order = Order::kAscending;
  uint64_t seed = 0;
};

Machine machine;

Thread& thread_of(int index) {
  return *machine.threads[static_cast<size_t>(machine.crew * machine.count + index)];
}
void* barrier_word() { return &machine.words[machine.block % kWordSets * kWordsOfBlock]; }
void* warp_word(int warp) {
  return &machine.words[machine.block % kWordSets * kWordsOfBlock + 1 + warp];
}

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::string_view(a.file_name()) == b.file_name();
}

std::string place(const std::source_location& at) {
  std::string_view file = at.file_name();
  if (const size_t slash = file.rfind('/'); slash != file.npos) file.remove_prefix(slash + 1);
  return std::string(file) + ":" + std::to_string(at.line());
}

// Bytes of a kernel's memory, written past every interceptor.
void fill_unset(void* memory, size_t bytes) {
  volatile unsigned char* to = static_cast<unsigned char*>(memory);
  for (size_t i = 0; i < bytes; ++i) to[i] = 0xFF;
}

void free_memory(void* memory) { ::operator delete (memory, std::align_val_t{16}); }

// -- switching ------------------------------------------------------------------------------------

void to_scheduler(bool for_good) {
  Thread* self = machine.running;
  tsan_release(&machine.end_word);  // acquired when the launch ends
  asan_leave(
      for_good ? nullptr : &self->asan, machine.scheduler_stack, machine.scheduler_stack_bytes);
  tsan_switch(machine.scheduler_tsan);
  const fiber::transfer_t back = fiber::jump_fcontext(machine.scheduler, nullptr);
  asan_arrive(self->asan, &machine.scheduler_stack, &machine.scheduler_stack_bytes);
  machine.scheduler = back.fctx;
}

void thread_main(fiber::transfer_t from) {
  asan_arrive(nullptr, &machine.scheduler_stack, &machine.scheduler_stack_bytes);
  machine.scheduler = from.fctx;
  tsan_acquire(&machine.start_word);
  machine.body(machine.closure);
  machine.running->state = State::kFinished;
  to_scheduler(true);
}

void resume(Thread& thread) {
  machine.running = &thread;
  threadIdx = {static_cast<unsigned>(thread.index), 0, 0};
  asan_leave(&machine.scheduler_asan, thread.stack, kStack);
  tsan_switch(thread.tsan);
  const fiber::transfer_t back = fiber::jump_fcontext(thread.context, nullptr);
  thread.context = back.fctx;
  asan_arrive(machine.scheduler_asan, nullptr, nullptr);
  machine.running = nullptr;
}

void grant_memory() {
  machine.granted = ::operator new (machine.wanted_bytes, std::align_val_t{16});
  fill_unset(machine.granted, machine.wanted_bytes);
  machine.wanted_bytes = 0;
  tsan_release(&machine.grant_word);
}

void* fresh_memory(size_t bytes) {
  machine.wanted_bytes = bytes;
  to_scheduler(false);
  tsan_acquire(&machine.grant_word);
  return machine.granted;
}

// -- one block ------------------------------------------------------------------------------------

void need_threads(int count) {
  while (static_cast<int>(machine.threads.size()) < count) {
    auto thread = std::make_unique<Thread>();
    void* stack = mmap(nullptr,
                       kStack,
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1,
                       0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
    thread->stack = static_cast<char*>(stack);
    thread->tsan = tsan_create();
    machine.threads.push_back(std::move(thread));
  }
}

std::string who_waits_where() {
  std::map<std::string, std::pair<int, int>> groups;  // place: how many, the first of them
  for (int i = 0; i < machine.count; ++i) {
    const Thread& thread = thread_of(i);
    const std::string key =
        thread.state == State::kFinished
            ? std::string("finished")
            : std::string("wait at ") + thread.waits_for + " (" + place(thread.at) + ")";
    auto& group = groups[key];
    if (group.first++ == 0) group.second = i;
  }
  std::string text;
  for (const auto& [key, group] : groups) {
    if (!text.empty()) text += "; ";
    text += std::to_string(group.first) + " of " + std::to_string(machine.count) +
            " threads, first " + std::to_string(group.second) + ", " + key;
  }
  return text;
}

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15u;
  return x ^ (x >> 29);
}

// The numbers below n in the machine's order.
std::vector<int> ordered(int n) {
  std::vector<int> order(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  if (machine.order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (machine.order == Order::kShuffled) {
    for (size_t i = order.size(); i > 1; --i) {
      machine.seed = mix(machine.seed + i);
      std::swap(order[i - 1], order[machine.seed % i]);
    }
  }
  return order;
}

void report() {
  machine.fault =
      std::string(machine.broken) + " (thread " + std::to_string(machine.broken_by) + ")";
  if (*machine.met != 0) {
    machine.fault += std::string(": some threads are at ") + machine.met + " (" +
                     place(machine.met_at) + "), others at " + place(machine.own_at);
  }
  machine.broken = nullptr;
  machine.met = "";
}

// Runs the ready threads of a warp up to their next warp-wide instruction, barrier or end. Returns
// whether there were any.
bool run_threads(int warp, const std::vector<int>& lanes) {
  bool moved = false;
  for (const int lane : lanes) {
    Thread& thread = thread_of(warp * kWarp + lane);
    if (thread.state != State::kReady) continue;
    moved = true;
    resume(thread);
    while (machine.wanted_bytes > 0) {
      grant_memory();
      resume(thread);
    }
    if (machine.broken != nullptr) {
      report();
      return false;
    }
  }
  return moved;
}

// Each warp runs as far as it can before the next has its turn: the last one at a barrier is the
// first beyond it, and does not wait for those who have yet to read what it overwrites.
void run_warps() {
  const std::vector<int> warps = ordered(machine.count / kWarp);
  const std::vector<int> lanes = ordered(kWarp);
  for (bool moved = true; moved;) {
    moved = false;
    for (const int warp : warps) {
      while (run_threads(warp, lanes)) moved = true;
      if (!machine.fault.empty()) return;
    }
  }
}

void run_block() {
  if (machine.stacks_dirty) {
    for (const auto& thread : machine.threads) asan_unfence(thread->stack, kStack);
    machine.stacks_dirty = false;
  }
  for (int i = 0; i < machine.count; ++i) {
    Thread& thread = thread_of(i);
    thread.index = i;
    thread.context = fiber::make_fcontext(thread.stack + kStack, kStack, thread_main);
    thread.asan = nullptr;
    // Frames that were left for good are still fenced: two after a thread's orderly end.
    asan_unfence(thread.stack + kStack - 8192, 8192);
    thread.state = State::kReady;
    thread.turn = 0;
    thread.open.clear();
    thread.groups.clear();
  }
  machine.arrived = 0;
  for (Warp& warp : machine.warps) warp.arrived = 0;
  run_warps();
  if (!machine.fault.empty()) return;
  for (int i = 0; i < machine.count; ++i) {
    const Thread& thread = thread_of(i);
    if (thread.state != State::kFinished) {
      machine.fault = "deadlock: not all threads reach the same barrier: " + who_waits_where();
      return;
    }
    if (!thread.open.empty() || !thread.groups.empty()) {
      machine.fault =
          "cp.async: thread " + std::to_string(i) + " ended before it waited for its copies";
      return;
    }
  }
}

void end_block() {
  for (const SharedArray& array : machine.shared) machine.garbage.push_back(array.memory);
  machine.shared.clear();
  if (machine.dynamic != nullptr) machine.garbage.push_back(machine.dynamic);
  machine.dynamic = nullptr;
  if (kThreadSanitizer) return;  // freed when every thread's end has been acquired
  for (void* memory : machine.garbage) free_memory(memory);
  machine.garbage.clear();
}

void end_launch() {
  tsan_acquire(&machine.end_word);
  for (void* memory : machine.garbage) free_memory(memory);
  machine.garbage.clear();
  machine.busy = false;
}

}  // namespace

void set_order(Order order, uint64_t seed) {
  machine.order = order;
  machine.seed = seed;
}

namespace {
thread_local Launches* noted = nullptr;
}
void note_launches(Launches* list) { noted = list; }
Launches* noted_launches() { return noted; }

void run(const Shape& shape, void (*body)(const void*), const void* closure) {
  // Cards of several threads take turns; a launch inside a launch is its own thread's and is told.
  static std::recursive_mutex turn;
  const std::lock_guard<std::recursive_mutex> lock(turn);
  if (machine.busy) throw Fault("launch: found a launch inside a launch");
  if (shape.block <= 0 || shape.block > 1024 || shape.block % kWarp != 0) {
    throw Fault("launch: found " + std::to_string(shape.block) +
                " threads per block, need a multiple of 32 up to 1024");
  }
  if (shape.grid_x <= 0 || shape.grid_y <= 0 || shape.grid_z <= 0) return;
  if (shape.grid_x > 2147483647 || shape.grid_y > 65535 || shape.grid_z > 65535) {
    throw Fault("launch: found a grid of " + std::to_string(shape.grid_x) + " x " +
                std::to_string(shape.grid_y) + " x " + std::to_string(shape.grid_z) +
                ", which no card takes");
  }
  if (shape.shared > kSharedLimit) {
    throw Fault("launch: found " + std::to_string(shape.shared) +
                " bytes of shared memory, need at most " + std::to_string(kSharedLimit));
  }
  need_threads(kThreadSanitizer ? 2 * shape.block : shape.block);
  machine.count = shape.block;
  machine.block = 0;
  machine.shared.reserve(64);
  machine.warps.resize(static_cast<size_t>(shape.block / kWarp));
  machine.dynamic_bytes = shape.shared;
  machine.body = body;
  machine.closure = closure;
  machine.fault.clear();
  machine.busy = true;
  machine.scheduler_tsan = tsan_current();
  tsan_release(&machine.start_word);
  blockDim = {static_cast<unsigned>(shape.block), 1, 1};
  gridDim = {static_cast<unsigned>(shape.grid_x),
             static_cast<unsigned>(shape.grid_y),
             static_cast<unsigned>(shape.grid_z)};
  for (int64_t z = 0; z < shape.grid_z && machine.fault.empty(); ++z) {
    for (int64_t y = 0; y < shape.grid_y && machine.fault.empty(); ++y) {
      for (int64_t x = 0; x < shape.grid_x && machine.fault.empty(); ++x) {
        blockIdx = {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
        machine.shared_bytes = shape.shared;
        machine.crew = kThreadSanitizer ? static_cast<int>(machine.block % 2) : 0;
        run_block();
        end_block();
        ++machine.block;
      }
    }
  }
  if (!machine.fault.empty()) machine.stacks_dirty = true;
  end_launch();
  if (!machine.fault.empty()) {
    throw Fault(machine.fault + " [block " + std::to_string(blockIdx.x) + ", " +
                std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) + "]");
  }
}

// The fiber that calls it is abandoned with whatever its stack owns: it may own no memory.
void fault(const char* message) {
  if (machine.running == nullptr) throw Fault(message);
  machine.broken = message;
  machine.broken_by = machine.running->index;
  to_scheduler(true);
  __builtin_unreachable();
}

void* shared_array(const char* file, int line, size_t size, size_t count) {
  for (const SharedArray& array : machine.shared) {
    if (array.file != file || array.line != line || array.size != size) continue;
    if (array.bytes != size * count) fault("shared array: two sizes at one place");
    tsan_acquire(&machine.grant_word);
    return array.memory;
  }
  machine.shared_bytes += size * count;
  if (machine.shared_bytes > kSharedLimit) fault("shared arrays: more than a block may have");
  if (machine.shared.size() == machine.shared.capacity()) fault("shared arrays: too many");
  void* const memory = fresh_memory(size * count);
  machine.shared.push_back({file, line, size, size * count, memory});
  return memory;
}

void* dynamic_shared() {
  if (machine.dynamic_bytes == 0) fault("dynamic shared memory: the launch gives none");
  if (machine.dynamic == nullptr) machine.dynamic = fresh_memory(machine.dynamic_bytes);
  tsan_acquire(&machine.grant_word);
  return machine.dynamic;
}

int lane() { return machine.running->index % kWarp; }

const Deposit* exchange(
    const void* own, size_t bytes, const char* what, Ordering ordering, std::source_location at) {
  Thread& self = *machine.running;
  Warp& warp = machine.warps[static_cast<size_t>(self.index / kWarp)];
  if (warp.arrived == 0) {
    warp.what = what;
    warp.at = at;
  } else if (!same_place(warp.at, at)) {
    machine.met = warp.what;
    machine.met_at = warp.at;
    machine.own_at = at;
    fault("divergent warp");
  }
  Deposit* const all = warp.deposits[self.turn++ & 1];
  unsigned char* to = all[self.index % kWarp].bytes;
  const unsigned char* from = static_cast<const unsigned char*>(own);
  for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
  void* const word = warp_word(self.index / kWarp);
  if (ordering == Ordering::kMemory) tsan_release(word);
  if (++warp.arrived < kWarp) {
    self.state = State::kAtWarp;
    self.waits_for = what;
    self.at = at;
    to_scheduler(false);
  } else {
    warp.arrived = 0;
    const int first = self.index / kWarp * kWarp;
    for (int i = first; i < first + kWarp; ++i) thread_of(i).state = State::kReady;
  }
  if (ordering == Ordering::kMemory) tsan_acquire(word);
  return all;
}

void async_copy(void* shared, const void* global, size_t bytes, size_t valid) {
  if (reinterpret_cast<uintptr_t>(shared) % bytes != 0 ||
      reinterpret_cast<uintptr_t>(global) % bytes != 0) {
    fault("cp.async: an address that is not a multiple of its size");
  }
  unset_target(shared, bytes);
  machine.running->open.push_back({shared, global, bytes, valid});
}

void async_commit() {
  Thread& self = *machine.running;
  self.groups.push_back(std::move(self.open));
  self.open.clear();
}

void async_wait(int groups_left) {
  Thread& self = *machine.running;
  while (static_cast<int>(self.groups.size()) > groups_left) {
    for (const AsyncCopy& copy : self.groups.front())
      perform_copy(copy.to, copy.from, copy.bytes, copy.valid);
    self.groups.erase(self.groups.begin());
  }
}

}  // namespace keju::simt

void __syncthreads(std::source_location at) {
  using namespace keju::simt;
  Thread& self = *machine.running;
  if (machine.arrived == 0) {
    machine.barrier_at = at;
  } else if (!same_place(machine.barrier_at, at)) {
    machine.met = "__syncthreads";
    machine.met_at = machine.barrier_at;
    machine.own_at = at;
    fault("divergent barrier");
  }
  tsan_release(barrier_word());
  if (++machine.arrived < machine.count) {
    self.state = State::kAtBarrier;
    self.waits_for = "__syncthreads";
    self.at = at;
    to_scheduler(false);
  } else {
    machine.arrived = 0;
    for (int i = 0; i < machine.count; ++i) thread_of(i).state = State::kReady;
  }
  tsan_acquire(barrier_word());
}
