// SPDX-License-Identifier: MIT
#include "kernels/cpu/cpu_backend.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "kernels/cpu/cpu_isa.h"
#include "kernels/cpu/lanes_backend.h"
#include "kernels/cpu/plain_backend.h"
#include "kernels/cpu/w13_backend.h"
#include "kernels/cpu/w16_backend.h"

namespace keju {
namespace {

// Cores that this process may run on, which in a container are often fewer than the machine's.
int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

std::vector<std::string> cpu_isa_levels() { return isa_levels(detect_cpu_features()); }

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  std::string requested = options.isa;
  if (requested.empty()) {
    const char* forced = std::getenv("KEJU_CPU_ISA");
    if (forced != nullptr) requested = forced;
  }
  BackendFacts facts;
  facts.name = "cpu";
  facts.device = cpu_name();
  facts.isa = choose_isa(detect_cpu_features(), requested);
  facts.threads = options.threads > 0 ? options.threads : usable_cores();
  const bool plain = facts.isa == "plain";
  if (options.mode == NumericMode::kFast) {
    if (facts.isa == "avx512_amx") {
      facts.numeric_mode = "cpu-fast-w16a16-r1";
      return std::make_unique<W16Backend>(facts.threads,
                                          facts,
                                          avx512_kernels(),
                                          avx512_amx_w16_kernels(),
                                          avx512_vnni_w16_few_kernels());
    }
    facts.numeric_mode = "cpu-fast-w13a13-r1";
    if (plain) return std::make_unique<PlainW13Backend>(facts.threads, facts);
    if (facts.isa != "avx512_vnni") {
      throw fail(
          Code::kUnsupported,
          "cpu: fast mode: found instruction set \"{}\", need avx512_vnni or avx512_amx. Hint: "
          "--mode exact runs on every processor",
          facts.isa);
    }
    return std::make_unique<W13Backend>(
        facts.threads, facts, avx512_kernels(), avx512_vnni_w13_kernels());
  }
  facts.numeric_mode = "cpu-exact-f32-r1";
  if (plain) return std::make_unique<PlainBackend>(facts.threads, facts);
  // Exact arithmetic has no use for what the levels above avx512 add.
  const CpuKernels& kernels = facts.isa == "avx2" ? avx2_kernels() : avx512_kernels();
  return std::make_unique<LanesBackend>(facts.threads, facts, kernels);
}

}  // namespace keju
