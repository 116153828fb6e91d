// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace keju {

// Turns one pre-token (valid UTF-8) into ids. Threads: const, safe to share.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  virtual void encode(std::string_view word, std::vector<TokenId>& out) const = 0;
};

}  // namespace keju
