// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace keju {

enum class NumericMode {
  kExact,   // float32 on the weights as stored; one arithmetic on every x86-64
  kNative,  // the checkpoint's 16-bit type with float32 sums (on the CPU: the same as exact)
  kFast,    // products of integers: of 16 bits on AMX where the CPU has it, else of 13 on VNNI
};

struct CpuOptions {
  int threads = 0;  // 0: one per core that this process may use
  std::string isa;  // "": KEJU_CPU_ISA if set, else the best that the CPU has
  NumericMode mode = NumericMode::kExact;
};

// ISA levels built into this program that the running CPU has, best last: "plain", "avx2",
// "avx512", "avx512_vnni", "avx512_amx".
std::vector<std::string> cpu_isa_levels();

// Errors: Error(kUnsupported) for an ISA that is unknown or that the CPU lacks, naming both.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

}  // namespace keju
