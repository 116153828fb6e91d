// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// Programs that a model wrote, run on tests where they can do no harm and cannot forge a verdict.
namespace keju {

struct SandboxLimits {
  int64_t cpu_s = 3;                        // processor time of the program
  double wall_s = 15;                       // of program and tests together, their start included
  int64_t memory_bytes = int64_t{1} << 30;  // address space of each side
  int64_t file_bytes = int64_t{16} << 20;   // of one file, and of all of /tmp
  int64_t open_files = 64;
};

// One program and its tests, both Python.
struct CodeTask {
  std::string program;  // of the model: hostile
  std::string prelude;  // of the data set: what tests may use besides the program
  std::string tests;    // of the data set: passed if it runs to its end
  // Functions of the program that must be there. A name that the prelude or Python itself has is
  // the program's only if it stands here.
  std::vector<std::string> own;
  // A solution of the data set's, or "": functions that it defines may be called as Python's own
  // are (MBPP has a task whose function is called sum).
  std::string reference;
};

struct CodeVerdict {
  enum class Kind {
    kPassed,
    kFailed,    // an assertion did not hold
    kTimedOut,  // the processor or the wall limit
    kError,     // another exception, a syntax error, a program that ended before its tests did
    kUnusable,  // the tests ask for what the sandbox cannot carry: says nothing of the program
  };
  Kind kind = Kind::kError;
  std::string detail;  // "AssertionError: …"; hostile text
};

std::string_view name(CodeVerdict::Kind kind);  // "passed", "failed", "timed out", "error", …

// Runs Python programs under bubblewrap: no network, no process but their own, a read-only root
// without /proc, /home or anything of the caller's, a small private /tmp, an empty environment, a
// seccomp allow-list, resource limits. Program and tests run in two such sandboxes, joined by one
// socket (sandbox_driver.py): the program's side has neither the tests nor the pipe that the
// verdict goes through. Threads: run() may be called from several at once.
class CodeSandbox {
 public:
  // Finds bwrap and Python ($KEJU_PYTHON, else python3 in the PATH), and proves on the spot that
  // the walls stand: a program that tries them must fail at each. Errors: Error(kUnsupported) that
  // says what is missing.
  static std::unique_ptr<CodeSandbox> open(const SandboxLimits& limits = {});
  ~CodeSandbox();

  // Errors: Error(kIo) where the operating system refuses to start it; the program's own failures
  // are verdicts.
  CodeVerdict run(const CodeTask& task) const;

  // For the run's record: "bubblewrap 0.8.0, Python 3.11.2, 3 s CPU, …".
  const std::string& description() const;

 private:
  struct Parts;
  explicit CodeSandbox(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace keju
