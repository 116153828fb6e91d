// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keju {

// What the dispatcher wants to know of a processor, including that the operating system saves the
// wide registers.
struct CpuFeatures {
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, VL, DQ
  bool avx512_vnni = false;
  bool avx512_amx = false;  // AMX tiles of bfloat16, AVX512-VNNI and AVX512-BF16; granted to us
};

CpuFeatures detect_cpu_features();
std::string cpu_name();

// Levels that `features` allows, best last; "plain" always.
std::vector<std::string> isa_levels(const CpuFeatures& features);

// The level to run at: `requested`, or the best if it is empty. Errors: Error(kUnsupported) for a
// name that is unknown or that `features` lacks.
std::string choose_isa(const CpuFeatures& features, std::string_view requested);

}  // namespace keju
