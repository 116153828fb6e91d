// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "score/sandbox.h"

// The comparison "python_tests": what was generated is a program, and the gold answer says how it
// is tested. It is a JSON object:
//   before   text that stands before what was generated ("" if it is not there)
//   prelude  what the tests may use besides the program
//   tests    the tests
//   own      names that the program must define
//   reference  a solution, see CodeTask
namespace keju {

constexpr std::string_view kPythonTests = "python_tests";

// Errors: Error(kInput) that begins with `where`.
CodeTask code_task(std::string_view gold, std::string_view generated, const std::string& where);

// "passed", "failed", "timed out", "error: NameError", "error: the program ended": without what
// differs from run to run.
std::string code_outcome(const CodeVerdict& verdict);

// The one sandbox of the process, opened on first use. Errors: those of CodeSandbox::open, at every
// call. Threads: safe.
const CodeSandbox& shared_sandbox();

}  // namespace keju
