// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// Lines of standard input, handed out as they come.
class LineReader {
 public:
  // Blocks for at least one line, then takes what is already there, up to `most` lines. Empty at
  // the end of input. A line may have at most 64 MiB. Errors: Error(kInput) for a longer one.
  std::vector<std::string> batch(size_t most);
  int64_t lines_read() const { return lines_read_; }

 private:
  bool fill(bool block);
  std::string buffer_;
  size_t at_ = 0;
  bool ended_ = false;
  int64_t lines_read_ = 0;
};

// One answer line per input line, in order. `answer` may throw Error: the line's answer is then
// {"error": …} and the command ends with exit code 5. Returns the exit code.
int each_json_line(const std::function<Json(const Json& line)>& answer);

// Writes one line to standard output and flushes it. Errors: Error(kIo).
void write_json_line(const Json& value);

}  // namespace keju
