// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/decoder.h"
#include "engine/encode.h"
#include "kernels/backend.h"
#include "lm/language_model.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"

namespace keju {

struct EngineOptions {
  int64_t step_rows = 512;                   // rows of one packed forward pass
  int64_t live_sequences = 16;               // generations that decode together
  int64_t context_length = 0;                // 0: the checkpoint's own; at most longest_context
  int64_t window_tokens = int64_t{1} << 24;  // of prompts planned together at most
  int64_t window_least_tokens = int64_t{1} << 15;  // small groups are planned together up to this
  int64_t kv_pages = 0;  // pages that a copy of the model may have; 0: as many as it asks for
};

// How several backends share the work. Neither changes a bit.
enum class Spread {
  kCopies,  // the whole model on each; runs of the prefix trie go to whichever is free
  kLayers,  // a stretch of layers on each, for models that one does not hold
};

// A language model on our own engine: checkpoint, tokenizer and backend behind the LanguageModel
// seam.
struct LocalModelParts {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;  // may be null: then only ids can be given
  std::shared_ptr<const ChatRenderer> chat;    // may be null
  Backend* backend = nullptr;                  // outlives the model
  std::vector<Backend*> others;                // more of the same numeric mode, if there are any
  Spread spread = Spread::kCopies;
  EngineOptions options;
  std::string name;
};

class LocalModel : public LanguageModel {
 public:
  // Loads the weights. Errors as Model::load; Error(kUsage) for a context_length past what the
  // checkpoint's positions are defined for (Descriptor::longest_context).
  static std::unique_ptr<LocalModel> create(LocalModelParts parts);
  virtual const Decoder& decoder() const = 0;

  // Tokenises and plans everything that `source` gives without computing: tokens_naive,
  // tokens_planned (unique rows to compute; new tokens of generations not counted) and
  // kv_peak_bytes (of one device; generations taken to run to their caps).
  virtual SessionStats plan(RequestSource& source) = 0;

  // Speed of one packed forward pass, measured now.
  virtual double measure_prefill_tokens_per_s() = 0;

  // Log-prob of every token of `ids` after those before it (the first has none), and the logits
  // after the last where `last_logits` is not null ([V]).
  virtual std::vector<double> token_logprobs(const std::vector<TokenId>& ids,
                                             std::vector<float>* last_logits) = 0;
};

}  // namespace keju
