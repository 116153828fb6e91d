// SPDX-License-Identifier: MIT
#include "lm/language_model.h"

#include "base/error.h"

namespace keju {

std::string_view name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kEos:
      return "eos";
  }
  KEJU_CHECK(false, "unknown finish reason");
}

}  // namespace keju
