// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace keju {

// Why a run ended. The program's exit code follows from it (see exit_code).
enum class Code {
  kUsage,        // the command line names something that does not exist or cannot be combined
  kInput,        // a file's content is wrong
  kShape,        // a tensor's shape or type disagrees with what its configuration says
  kUnsupported,  // well-formed, but not something that this program or machine can do
  kIo,           // the operating system refused: missing file, full disk, no permission
  kDevice,       // an accelerator is absent, lost or out of memory
  kBug,          // our mistake
};

// Exit code of the program for a run that ended with `code`: 4 usage, 5 input or shape,
// 6 unsupported, 7 i/o or device, 8 bug.
int exit_code(Code code);

// The one exception type of the program. It ends a run; what happens to a single sample is data,
// never an exception. Message form: `where: what: found X, need Y. Hint`. Only cli/ catches it.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

// throw fail(Code::kInput, "{}: header: found {} bytes, need {}", path, n, m);
template <typename... Args>
Error fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Error(code, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void check_failed(const char* file, int line, std::string_view text);

// Holds in every build type; a failure is our mistake and throws Error(kBug).
#define KEJU_CHECK(condition, text)                                     \
  do {                                                                  \
    if (!(condition)) ::keju::check_failed(__FILE__, __LINE__, (text)); \
  } while (false)

// The known name nearest to `name` by edit distance, or "" if none is near enough to be a slip.
std::string closest(std::string_view name, const std::vector<std::string>& known);

// `; did you mean "x"? Known: a, b, c` for an unknown name; the list is cut after 12 names.
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

}  // namespace keju
