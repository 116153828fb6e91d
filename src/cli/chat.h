// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "engine/encode.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"

namespace keju {

// The chat format of a checkpoint: `choice` if given (a template file or builtin:NAME), else the
// template that the checkpoint carries, else the built-in one of a family that ships none; null if
// there is none. Errors: Error(kUsage) for an unknown built-in name, Error(kInput) for a bad
// template.
std::shared_ptr<const ChatRenderer> open_chat(const Checkpoint& checkpoint,
                                              const Tokenizer* tokenizer,
                                              const std::string& choice);

// The text of the checkpoint's own template; "" if it has none.
std::string template_source(const Checkpoint& checkpoint);

}  // namespace keju
