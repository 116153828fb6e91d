// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "score/sandbox.h"

// What sandbox.cpp is put together from.
namespace keju {

// A file descriptor that closes itself, and that no child inherits.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return number_; }
  void close();

 private:
  int number_ = -1;
};

// An anonymous file that holds `bytes`, read from its start.
Descriptor memory_file(std::string_view bytes);

// What comes out of `file` until its end, `until` or a length that no verdict has. A file without
// an end is never given up before `until`: the caller tells by the clock which it was.
std::string read_until(int file, std::chrono::steady_clock::time_point until);

// The BPF program of the system calls that Python needs and no others (the rest fail with EPERM;
// clone3 with ENOSYS so that threads fall back to clone, whose flags a filter can see; clone only
// for threads). Errors: Error(kUnsupported).
std::string system_call_filter();

// Where things are on this machine.
struct SandboxTools {
  std::string bwrap, bwrap_version;
  std::string python, python_version;
  std::vector<std::string> arguments;  // bwrap's, up to the program to run
};

// Errors: Error(kUnsupported) that says what is missing and how to get it.
SandboxTools find_sandbox_tools(const SandboxLimits& limits);

// The standard output of a program of the caller's own choice, its first 64 KiB; "" if it cannot be
// run or fails.
std::string output_of(const std::vector<std::string>& arguments);

}  // namespace keju
