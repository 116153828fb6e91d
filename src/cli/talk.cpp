// SPDX-License-Identifier: MIT
#include "cli/talk.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace keju {
namespace {

bool line_open = false;

void write_all(std::string_view text) { (void)!std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

bool terminal() { return isatty(STDERR_FILENO) != 0; }
bool colourful() { return terminal() && std::getenv("NO_COLOR") == nullptr; }

void talk(std::string_view line) {
  if (line_open) write_all("\n");
  line_open = false;
  write_all(line);
  write_all("\n");
}

void talk_progress(const std::string& line, bool last) {
  if (terminal()) {
    write_all("\r\x1b[K" + line);
    line_open = !last;
    if (last) write_all("\n");
    return;
  }
  using Clock = std::chrono::steady_clock;
  static Clock::time_point next = Clock::now();
  if (!last && Clock::now() < next) return;
  next = Clock::now() + std::chrono::seconds(10);
  write_all(line + "\n");
}

}  // namespace keju
