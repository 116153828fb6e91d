// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/json.h"

namespace keju {

// What a finished run says of its scores on a terminal: one line for each exam of results.json
// (score, 95 % interval, kind of average, items), and below it what its suite asks or adds: bounds,
// pass@k, option orders. `manifest` is the run's run.json: a run of a part of the items says so.
std::string scores_text(const Json& results, const Json& manifest);

}  // namespace keju
