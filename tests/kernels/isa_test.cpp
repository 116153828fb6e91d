// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "base/error.h"
#include "kernel_test.h"
#include "kernels/cpu/cpu_isa.h"

namespace keju::kernel_test {
namespace {

using testing::HasSubstr;

Code code_of(const std::function<void()>& action, std::string& message) {
  try {
    action();
  } catch (const Error& e) {
    message = e.what();
    return e.code();
  }
  message = "no error";
  return Code::kBug;
}

TEST(CpuIsa, LevelsFollowTheFeatures) {
  EXPECT_EQ(isa_levels({}), (std::vector<std::string>{"plain"}));
  EXPECT_EQ(isa_levels({.avx2 = true}), (std::vector<std::string>{"plain", "avx2"}));
  EXPECT_EQ(isa_levels({.avx2 = true, .avx512 = true, .avx512_vnni = true}),
            (std::vector<std::string>{"plain", "avx2", "avx512", "avx512_vnni"}));
  EXPECT_EQ(cpu_isa_levels().front(), "plain");
}

TEST(CpuIsa, TheBestLevelIsTheDefault) {
  EXPECT_EQ(choose_isa({}, ""), "plain");
  EXPECT_EQ(choose_isa({.avx2 = true}, ""), "avx2");
  EXPECT_EQ(choose_isa({.avx2 = true, .avx512 = true}, ""), "avx512");
  EXPECT_EQ(choose_isa({.avx2 = true, .avx512 = true}, "avx2"), "avx2");
}

TEST(CpuIsa, WhatTheProcessorLacksIsRefused) {
  std::string message;
  EXPECT_EQ(code_of([] { choose_isa({.avx2 = true}, "avx512"); }, message), Code::kUnsupported);
  EXPECT_THAT(message, HasSubstr("\"avx512\""));
  EXPECT_THAT(message, HasSubstr("plain, avx2"));
  EXPECT_EQ(code_of([] { choose_isa({}, "avx512_vnni"); }, message), Code::kUnsupported);
  EXPECT_EQ(exit_code(Code::kUnsupported), 6);
}

TEST(CpuIsa, AnUnknownLevelIsRefused) {
  std::string message;
  EXPECT_EQ(code_of([] { backend("avx513"); }, message), Code::kUnsupported);
  EXPECT_THAT(message, HasSubstr("avx513"));
  EXPECT_THAT(message, HasSubstr("avx512"));
}

TEST(CpuIsa, AForcedLevelIsTheOneThatRuns) {
  const char* before = std::getenv("KEJU_CPU_ISA");
  const std::string kept = before != nullptr ? before : "";
  for (const std::string& level : cpu_isa_levels()) {
    EXPECT_EQ(backend(level)->facts().isa, level);
    ASSERT_EQ(setenv("KEJU_CPU_ISA", level.c_str(), 1), 0);
    const BackendFacts facts = make_cpu_backend({})->facts();
    EXPECT_EQ(facts.isa, level);
    EXPECT_EQ(facts.name, "cpu");
    // One arithmetic, whatever the level: the identity of a run may not name it.
    EXPECT_EQ(facts.numeric_mode, "cpu-exact-f32-r1");
  }
  ASSERT_EQ(setenv("KEJU_CPU_ISA", "none", 1), 0);
  std::string message;
  EXPECT_EQ(code_of([] { make_cpu_backend({}); }, message), Code::kUnsupported);
  if (before != nullptr) {
    setenv("KEJU_CPU_ISA", kept.c_str(), 1);
  } else {
    unsetenv("KEJU_CPU_ISA");
  }
}

TEST(CpuIsa, ThreadsAreAsAskedAndAtLeastOne) {
  EXPECT_EQ(backend("plain", 3)->facts().threads, 3);
  EXPECT_GE(make_cpu_backend({.isa = "plain"})->facts().threads, 1);
  EXPECT_FALSE(backend("plain")->facts().device.empty());
}

}  // namespace
}  // namespace keju::kernel_test
