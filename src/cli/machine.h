// SPDX-License-Identifier: MIT
#pragma once

#include "base/json.h"

namespace keju {

// What is recorded of where a run took place: processor, cores, memory, system, this program's
// build. Never compared.
Json machine_facts();

}  // namespace keju
