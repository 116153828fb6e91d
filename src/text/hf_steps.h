// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/pretokenize.h"

namespace keju {

// The steps of a tokenizer.json. Every step and option that is not known here is refused by name:
// Error(kUnsupported); wrong types are Error(kInput).
void read_hf_normalizers(const Json& json,
                         const std::string& where,
                         std::vector<std::unique_ptr<Normalizer>>& out);

struct HfPreTokenizers {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  bool byte_level = false;  // the last step turns text into stand-ins for bytes
  bool stand_ins = false;   // an earlier one did, and the steps after it are made for that
};
void read_hf_pre_tokenizers(const Json& json, const std::string& where, HfPreTokenizers& out);

void read_hf_decoders(const Json& json,
                      const std::string& where,
                      std::vector<std::unique_ptr<DecodeStep>>& out);

std::string decode_base64(std::string_view text, std::string_view where);

}  // namespace keju
