// SPDX-License-Identifier: MIT
#pragma once

#include "model/family.h"

// One declaration per family; families.cpp lists them.
namespace keju {

extern const Family kBaichuan;
extern const Family kBloom;
extern const Family kChatglm;
extern const Family kCodegen;
extern const Family kCohere;
extern const Family kDeepseek;
extern const Family kErnie45;
extern const Family kFalcon;
extern const Family kGemma;
extern const Family kGemma2;
extern const Family kGemma3;
extern const Family kGlm;
extern const Family kGlm4;
extern const Family kGpt2;
extern const Family kGptNeox;
extern const Family kGptOss;
extern const Family kGptj;
extern const Family kGranite;
extern const Family kHunyuan;
extern const Family kInternlm;
extern const Family kInternlm2;
extern const Family kInternlm3;
extern const Family kLlama;
extern const Family kMinicpm;
extern const Family kMinicpm3;
extern const Family kMistral;
extern const Family kMixtral;
extern const Family kOlmo2;
extern const Family kPhi3;
extern const Family kQwen;
extern const Family kQwen2;
extern const Family kQwen2Moe;
extern const Family kQwen3;
extern const Family kQwen3Moe;
extern const Family kSeedOss;
extern const Family kSmollm3;
extern const Family kStarcoder2;

}  // namespace keju
