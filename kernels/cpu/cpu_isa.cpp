// SPDX-License-Identifier: MIT
#include "kernels/cpu/cpu_isa.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace keju {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {
    "plain", "avx2", "avx512", "avx512_vnni", "avx512_amx"};

bool has(const CpuFeatures& features, std::string_view level) {
  if (level == "plain") return true;
  if (level == "avx2") return features.avx2;
  if (level == "avx512") return features.avx512;
  if (level == "avx512_vnni") return features.avx512_vnni;
  return features.avx512_amx;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

#if defined(__x86_64__)
struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

bool bit(unsigned word, int index) { return ((word >> index) & 1u) != 0; }

// Register states that the operating system saves on a switch.
unsigned saved_state() {
  unsigned low = 0;
  unsigned high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

// Linux gives a process tile registers only if it asks for them; threads started later have them.
bool tiles_granted() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // the state component
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

}  // namespace

CpuFeatures detect_cpu_features() {
  CpuFeatures features;
#if defined(__x86_64__)
  const Registers one = cpuid(1, 0);
  if (!bit(one.c, 27)) return features;  // OSXSAVE
  const unsigned saved = saved_state();
  const Registers seven = cpuid(7, 0);
  const Registers seven_one = seven.a >= 1 ? cpuid(7, 1) : Registers{};
  const bool ymm = (saved & 0x6u) == 0x6u;
  const bool zmm = (saved & 0xE6u) == 0xE6u;
  const bool fma = bit(one.c, 12);
  const bool f16c = bit(one.c, 29);
  features.avx2 = ymm && fma && f16c && bit(one.c, 28) && bit(seven.b, 5);
  features.avx512 = features.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) &&
                    bit(seven.b, 30) && bit(seven.b, 31);
  features.avx512_vnni = features.avx512 && bit(seven.c, 11);
  const bool tiles = (saved & 0x60000u) == 0x60000u && bit(seven.d, 22) && bit(seven.d, 24);
  features.avx512_amx = features.avx512_vnni && bit(seven_one.a, 5) && tiles && tiles_granted();
#endif
  return features;
}

std::string cpu_name() {
#if defined(__x86_64__)
  if (cpuid(0x80000000u, 0).a >= 0x80000004u) {
    char text[49] = {};
    for (unsigned i = 0; i < 3; ++i) {
      const Registers r = cpuid(0x80000002u + i, 0);
      std::memcpy(text + 16 * i, &r, 16);
    }
    std::string name(text);
    name.erase(0, name.find_first_not_of(' '));
    if (!name.empty()) return name;
  }
#endif
  return "unknown processor";
}

std::vector<std::string> isa_levels(const CpuFeatures& features) {
  std::vector<std::string> levels;
  for (const std::string_view level : kLevels) {
    if (has(features, level)) levels.emplace_back(level);
  }
  return levels;
}

std::string choose_isa(const CpuFeatures& features, std::string_view requested) {
  const std::vector<std::string> levels = isa_levels(features);
  if (requested.empty()) return levels.back();
  if (std::find(kLevels.begin(), kLevels.end(), requested) == kLevels.end()) {
    const std::vector<std::string> known(kLevels.begin(), kLevels.end());
    throw fail(Code::kUnsupported,
               "cpu: instruction set: found unknown level \"{}\"{}",
               requested,
               suggestion(requested, known));
  }
  if (!has(features, requested)) {
    throw fail(Code::kUnsupported,
               "cpu: instruction set: found \"{}\" asked for, need one that this processor ({}) "
               "has: {}",
               requested,
               cpu_name(),
               joined(levels));
  }
  return std::string(requested);
}

}  // namespace keju
