// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/encode.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"
#include "weights/checkpoint.h"

namespace keju {

// Which chat format is taken for a model, and where it comes from.
struct ChatChoice {
  std::string builtin;  // the name of a built-in one, or ""
  ChatSources sources;  // else the templates; empty: the model has none
  std::string said;     // for a person: what was taken, and why
  bool none() const { return builtin.empty() && sources.empty(); }
};

// `choice` if given (a template file or builtin:NAME), else the template that the checkpoint
// carries, else the built-in one of a family that ships none. `checkpoint` and `tokenizer` may be
// null. Errors: Error(kUsage) for an unknown built-in name, Error(kInput), Error(kIo).
ChatChoice choose_chat(const Checkpoint* checkpoint,
                       const Tokenizer* tokenizer,
                       const std::string& choice);

// BOS and EOS as templates see them: those of the tokenizer; "" where there is none.
struct ChatTokens {
  std::string bos, eos;
};
ChatTokens chat_tokens(const Tokenizer* tokenizer);

// Errors: Error(kInput) for a template that does not compile.
ChatFormat chat_format_of(const ChatChoice& choice, const ChatTokens& tokens);

// Pieces for the prompt encoder: the template's own text may spell special tokens, content is text,
// and marks that only the vocabulary knows become ids. Errors: Error(kUnsupported) names a mark of
// a built-in format that the vocabulary lacks.
std::vector<PromptPiece> chat_pieces(const ChatFormat& format,
                                     std::vector<RenderedPiece> rendered,
                                     const Tokenizer& tokenizer);

// The renderer of a model: null if it has no chat format. A template of the user's choice is
// compiled now, the checkpoint's own when first used, when it is also said which one that is.
std::shared_ptr<const ChatRenderer> open_chat(const Checkpoint& checkpoint,
                                              std::shared_ptr<const Tokenizer> tokenizer,
                                              const std::string& choice);

}  // namespace keju
