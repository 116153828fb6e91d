// SPDX-License-Identifier: MIT
#include "weights/tensor_file.h"

#include <array>

namespace keju {

bool is_known_buffer(std::string_view name) {
  // Source: registered buffers of GPT-2, GPT-NeoX, GPT-J, CodeGen, BERT-like and MOSS models in
  // transformers 4.x.
  constexpr std::array<std::string_view, 7> kEndings = {".attn.bias",
                                                        ".attention.bias",
                                                        ".attn.causal_mask",
                                                        ".attn.masked_bias",
                                                        ".attention.masked_bias",
                                                        ".position_ids",
                                                        ".num_batches_tracked"};
  for (const std::string_view ending : kEndings) {
    if (name.ends_with(ending)) return true;
  }
  return name == "position_ids";
}

std::optional<DType> plain_dtype(std::string_view spelling) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name(type) == spelling) return type;
  }
  return std::nullopt;
}

}  // namespace keju
