// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace keju {

// The folder of fixtures: $KEJU_SHARED, or ../shared (tests run with the source root as cwd).
std::filesystem::path shared_dir();

// A file among the models: $KEJU_CACHE/models or ~/.cache/keju/models.
std::filesystem::path model_file(std::string_view name);

// Why `what` (shared, models, cuda) is not there; "" if it is. An unknown name is never there.
std::string missing(std::string_view what);

// Whether $KEJU_REQUIRE (a comma list, as CI sets it) says that `what` may not be missing.
bool required(std::string_view what);

}  // namespace keju

// Ends a test that needs something which not every machine has: skipped with the reason or, where
// KEJU_REQUIRE names it, failed, so that a machine that should have it cannot skip quietly.
#define KEJU_NEED(what)                                                                            \
  do {                                                                                             \
    const std::string keju_missing = ::keju::missing(#what);                                       \
    if (!keju_missing.empty()) {                                                                   \
      if (::keju::required(#what)) FAIL() << "KEJU_REQUIRE names " #what ", but " << keju_missing; \
      GTEST_SKIP() << keju_missing;                                                                \
    }                                                                                              \
  } while (false)
