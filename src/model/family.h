// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/key_values.h"
#include "model/binder.h"
#include "model/descriptor.h"
#include "model/names.h"

namespace keju {

// One model family: how its configuration reads, and what its tensors are called. Everything that a
// family is lies in its file under families/; the forward pass does not know it.
struct Family {
  std::string_view name;
  std::vector<std::string_view> model_types;  // config.json "model_type"
  std::vector<std::string_view>
      architectures;                         // "architectures", where the model type is not known
  std::vector<std::string_view> gguf_names;  // general.architecture

  // Errors: Error(kInput) for a key that is missing or of the wrong type, Error(kUnsupported) for
  // an activation, rope type or option that is not known, by its name.
  Descriptor (*from_config)(const Json& config, const std::string& where);
  Descriptor (*from_gguf)(const KeyValues& metadata) = nullptr;  // null: no GGUF form
  TensorNames (*names)(const Descriptor& descriptor);
  // Where a family's GGUF names are not the usual ones; may be null.
  void (*adjust_gguf_names)(const Descriptor& descriptor, TensorNames& names) = nullptr;
};

// All families, in a fixed order; names, model types and GGUF names are unique.
std::span<const Family* const> families();

// The family of a checkpoint. Errors: Error(kUnsupported) names the architecture found and those
// known.
const Family& family_of(const Checkpoint& checkpoint);

Descriptor describe(const Family& family, const Checkpoint& checkpoint);

// Follows the family's table (or GGUF's own names) over the checkpoint, strictly both ways.
ModelSources bind(const Family& family, const Descriptor& descriptor, const Checkpoint& checkpoint);

}  // namespace keju
