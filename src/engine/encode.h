// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "lm/language_model.h"
#include "text/tokenizer.h"

namespace keju {

// Renders chat turns into prompt pieces; given by whoever holds the model's template.
class ChatRenderer {
 public:
  virtual ~ChatRenderer() = default;
  virtual std::vector<PromptPiece> render(const std::vector<ChatTurn>& turns) const = 0;
  virtual std::string hash() const = 0;
};

// A prompt with one continuation, as ids. `prompt` ids stand before, never empty.
struct EncodedPair {
  std::vector<TokenId> prompt, continuation;
};

// Turns prompts into ids by a tokenizer and a boundary rule. Threads: const, safe to share.
class PromptEncoder {
 public:
  // `chat` may be null: prompts of chat turns are then Error(kUnsupported).
  PromptEncoder(const Tokenizer& tokenizer, const ChatRenderer* chat)
      : tokenizer_(tokenizer), chat_(chat) {}

  // The checkpoint's prefix goes in front unless the prompt already begins with it; never before a
  // chat, whose template writes it itself (transformers 5.23, apply_chat_template). An empty prompt
  // becomes the prefix token: BOS, else EOS. Errors: Error(kInput) where neither exists.
  std::vector<TokenId> prompt(const Prompt& prompt) const;

  // One pair for each continuation; what they share is encoded once. Errors: Error(kInput) names
  // the first option without a token of its own.
  std::vector<EncodedPair> pairs(const Prompt& prompt,
                                 const std::vector<std::string>& continuations,
                                 Boundary boundary) const;

  // The token that a text begins after when nothing else stands before it.
  TokenId prefix_token() const;

 private:
  std::vector<PromptPiece> pieces(const Prompt& prompt) const;
  std::vector<TokenId> encode(const std::vector<PromptPiece>& pieces, bool add_prefix) const;
  std::vector<EncodedPair> retokenize(std::vector<PromptPiece> pieces,
                                      const std::vector<std::string>& continuations,
                                      bool add_prefix) const;
  std::vector<TokenId> lone(const std::string& continuation, Boundary boundary) const;

  const Tokenizer& tokenizer_;
  const ChatRenderer* chat_;
};

}  // namespace keju
