// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"

namespace keju {

// What every fuzz target does with one input: an Error is an answer, unless it says that the fault
// is ours; any other exception ends the program.
template <typename Job>
int fuzz_one(Job job) {
  try {
    job();
  } catch (const Error& error) {
    if (error.code() == Code::kBug) std::abort();
  }
  return 0;
}

}  // namespace keju

// The entry point that libFuzzer and replay.cpp call.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
