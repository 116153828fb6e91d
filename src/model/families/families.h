// SPDX-License-Identifier: MIT
#pragma once

#include "model/family.h"

// One declaration per family; families.cpp lists them.
namespace keju {

extern const Family kGemma3;
extern const Family kLlama;
extern const Family kQwen2;

// The names that LLaMA's descendants share.
TensorNames llama_names(const Descriptor& descriptor);

}  // namespace keju
