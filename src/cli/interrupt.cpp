// SPDX-License-Identifier: MIT
#include "cli/interrupt.h"

#include <csignal>

namespace keju {
namespace {

std::atomic<bool> cancelled{false};

void on_signal(int signal) {
  cancelled = true;
  std::signal(signal, SIG_DFL);
}

}  // namespace

const std::atomic<bool>* cancel_on_signal() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return &cancelled;
}

}  // namespace keju
