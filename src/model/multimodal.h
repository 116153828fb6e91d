// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace keju {

// The language model's part of a configuration. Of an ordinary one it is the whole.
struct TextPart {
  Json config;
  std::string where;                    // ": text_config" where the part lies there
  std::vector<std::string> left_aside;  // Descriptor::left_aside
};

// Reads a multimodal model type that is known through its "text_config" (or, in older files of
// Qwen2-VL, beside the vision tower's settings). Any other configuration comes back as it is.
TextPart text_part(const Json& config);

}  // namespace keju
