// SPDX-License-Identifier: MIT
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/support/require.h"

namespace keju {

// What the program said, both streams together, and its exit code (-1: it died of a signal).
struct Output {
  int code = -1;
  std::string text;
};

// Runs the program through a shell; `environment` is written before it (NAME=value, ulimit …;).
inline Output run(const std::string& arguments, const std::string& environment = "") {
  const std::string line = environment + " " + KEJU_PROGRAM + " " + arguments + " 2>&1";
  Output out;
  FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> chunk{};
  size_t got = 0;
  while ((got = fread(chunk.data(), 1, chunk.size(), pipe)) > 0) out.text.append(chunk.data(), got);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

inline std::string model(const char* name) { return model_file(name).string(); }
inline constexpr const char* kSmol = "SmolLM2-135M-Instruct.Q4_1.gguf";
inline constexpr const char* kGemma = "gemma-3-270m-q4_k_m.gguf";

}  // namespace keju
