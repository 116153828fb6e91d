// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "suite/suite_file.h"

namespace keju {

// What `variant` does otherwise than `base`: the rule's name, and its value there ("shots", "5");
// of templates only that they differ. Empty for the variant itself.
std::vector<std::pair<std::string, std::string>> variant_changes(const SuiteVariant& base,
                                                                 const SuiteVariant& variant);

}  // namespace keju
