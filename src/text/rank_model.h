// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"

namespace keju {

// Byte-level BPE as tiktoken does it: tokens[i] has rank i, and the id `first` + i. Adds the tokens
// to `vocab`, which must outlive the model; special tokens are added behind this, so that no word
// becomes one. Errors: Error(kInput) for ids that `vocab` already has.
std::unique_ptr<PairBpe> rank_model(const std::vector<std::string>& tokens,
                                    TokenId first,
                                    Vocab& vocab,
                                    std::string_view where);

}  // namespace keju
