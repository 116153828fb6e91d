// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "text/template.h"

namespace keju::jinja {

// What goes wrong while a template is compiled or rendered. `kind` is the class that the reference
// raises ("TypeError", "UndefinedError" …) and is empty for a limit of ours. The line is added
// where the fault leaves the engine.
class Fault : public std::exception {
 public:
  Fault(std::string kind, std::string what) : kind_(std::move(kind)), what_(std::move(what)) {}
  const char* what() const noexcept override { return what_.c_str(); }
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
  std::string what_;
};

[[noreturn]] void raise(const char* kind, std::string what);

struct Object;

// What one rendering has used up, and what it must tidy afterwards.
// Threads: one rendering, one thread.
class Runtime {
 public:
  explicit Runtime(const TemplateLimits& limits) : limits_(limits) {}
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  void step(int64_t count = 1) {
    steps_ += count;
    if (steps_ > limits_.steps) over("steps", limits_.steps);
  }
  // Reading through `bytes` bytes of text costs steps too, or scanning long strings would be free.
  void scan(size_t bytes) { step(1 + static_cast<int64_t>(bytes / 64)); }
  // Before `bytes` bytes of new text are made.
  void charge(size_t bytes) {
    if (bytes > static_cast<size_t>(limits_.output_bytes - bytes_)) {
      over("bytes of text", limits_.output_bytes);
    }
    bytes_ += static_cast<int64_t>(bytes);
  }
  int max_depth() const { return limits_.depth; }
  bool strict() const { return limits_.strict; }
  [[noreturn]] static void over(const char* what, int64_t limit);

  // Objects that can be changed after they were made, and so can come to hold themselves: their
  // references are cut when the rendering ends.
  void keep(std::shared_ptr<Object> object) { kept_.push_back(std::move(object)); }

  int line = 0;        // of the node being evaluated
  int depth = 0;       // nested expressions and calls
  int levels = 0;      // the same with nested statements
  int64_t clock = -1;  // seconds since 1970 that strftime_now prints; -1: refused

 private:
  TemplateLimits limits_;
  int64_t steps_ = 0;
  int64_t bytes_ = 0;
  std::vector<std::shared_ptr<Object>> kept_;
};

// One more level of nesting while it lives.
class Nest {
 public:
  enum class What { kExpression, kStatement };
  explicit Nest(Runtime& rt, What what = What::kExpression)
      : rt_(rt), expression_(what == What::kExpression) {
    rt_.depth += expression_ ? 1 : 0;
    rt_.levels += 1;
    if (rt_.depth > rt_.max_depth() || rt_.levels > 4 * rt_.max_depth()) {
      leave();
      Runtime::over("levels of nesting", rt_.max_depth());
    }
  }
  ~Nest() { leave(); }
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

 private:
  void leave() {
    rt_.depth -= expression_ ? 1 : 0;
    rt_.levels -= 1;
  }
  Runtime& rt_;
  bool expression_;
};

}  // namespace keju::jinja
