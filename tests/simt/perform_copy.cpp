// SPDX-License-Identifier: MIT
#include <cstring>

#include "tests/simt/sanitizers.h"

namespace keju::simt {

void perform_copy(void* to, const void* from, size_t bytes, size_t valid) {
  std::memcpy(to, from, valid);
  std::memset(static_cast<char*>(to) + valid, 0, bytes - valid);
}

void unset_target(void* to, size_t bytes) { std::memset(to, 0xFF, bytes); }

}  // namespace keju::simt
