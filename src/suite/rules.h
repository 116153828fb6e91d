// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace keju {

// Names that a suite may give under `extract` and `compare`, sorted. What they do is score/'s
// business (score/extract.h, score/compare.h); the names stand here so that a suite file is checked
// whole when it is read.
const std::vector<std::string>& extract_rules();
const std::vector<std::string>& compare_rules();

}  // namespace keju
