// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace keju {

// The random stream of one sample of one item: draws depend on (seed, key, sample, token index) and
// never on batch or order.
uint64_t sampling_stream(std::string_view key, int64_t sample);

}  // namespace keju
