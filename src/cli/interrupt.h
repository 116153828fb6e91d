// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace keju {

// From the call on, the first SIGINT or SIGTERM sets the flag that it returns, so that a run ends
// in an orderly way; a second one kills as usual. The flag lives as long as the program.
const std::atomic<bool>* cancel_on_signal();

}  // namespace keju
