// SPDX-License-Identifier: MIT
#pragma once

#include "model/family.h"

namespace keju {

// Every family, sorted by name: a new one is its file and one line here.
#define KEJU_FAMILIES(X) \
  X(kBaichuan)           \
  X(kBloom)              \
  X(kChatglm)            \
  X(kCodegen)            \
  X(kCohere)             \
  X(kDeepseek)           \
  X(kErnie45)            \
  X(kFalcon)             \
  X(kGemma)              \
  X(kGemma2)             \
  X(kGemma3)             \
  X(kGlm)                \
  X(kGlm4)               \
  X(kGpt2)               \
  X(kGptNeox)            \
  X(kGptOss)             \
  X(kGptj)               \
  X(kGranite)            \
  X(kHunyuan)            \
  X(kInternlm)           \
  X(kInternlm2)          \
  X(kInternlm3)          \
  X(kLlama)              \
  X(kMinicpm)            \
  X(kMinicpm3)           \
  X(kMistral)            \
  X(kMixtral)            \
  X(kOlmo2)              \
  X(kPhi3)               \
  X(kQwen)               \
  X(kQwen2)              \
  X(kQwen2Moe)           \
  X(kQwen3)              \
  X(kQwen3Moe)           \
  X(kSeedOss)            \
  X(kSmollm3)            \
  X(kStarcoder2)

#define KEJU_DECLARE_FAMILY(family) extern const Family family;
KEJU_FAMILIES(KEJU_DECLARE_FAMILY)
#undef KEJU_DECLARE_FAMILY

}  // namespace keju
