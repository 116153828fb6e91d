// SPDX-License-Identifier: MIT
#include "engine/encode.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {

TokenId PromptEncoder::prefix_token() const {
  const SpecialIds& special = tokenizer_.special();
  if (!special.prefix.empty()) return special.prefix.back();
  if (special.bos) return *special.bos;
  if (special.eos) return *special.eos;
  throw fail(Code::kInput,
             "tokenizer: prefix token: found neither BOS nor EOS, need one to score a text without "
             "a prompt");
}

std::vector<PromptPiece> PromptEncoder::pieces(const Prompt& prompt) const {
  if (prompt.chat.empty()) return prompt.pieces;
  if (chat_ == nullptr) {
    throw fail(Code::kUnsupported,
               "chat: the model has no chat template, need one for prompts of turns. Give one with "
               "--chat-template, or use the suite without chat");
  }
  std::vector<PromptPiece> all = chat_->render(prompt.chat);
  if (!prompt.prefill.empty()) all.push_back({prompt.prefill, ParseSpecial::kNo, {}});
  return all;
}

std::vector<TokenId> PromptEncoder::encode(const std::vector<PromptPiece>& pieces,
                                           bool add_prefix) const {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].ids.empty()) {
      ids.insert(ids.end(), pieces[i].ids.begin(), pieces[i].ids.end());
      continue;
    }
    // Neighbouring pieces of text are one text: merges may cross their seams.
    std::vector<TextPart> parts{{pieces[i].text, pieces[i].parse_special}};
    while (i + 1 < pieces.size() && pieces[i + 1].ids.empty()) {
      ++i;
      parts.push_back({pieces[i].text, pieces[i].parse_special});
    }
    tokenizer_.encode_parts(parts, ids);
  }
  const std::vector<TokenId>& prefix = tokenizer_.special().prefix;
  if (add_prefix && !prefix.empty()) {
    const bool there =
        ids.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), ids.begin());
    if (!there) ids.insert(ids.begin(), prefix.begin(), prefix.end());
  }
  return ids;
}

std::vector<TokenId> PromptEncoder::prompt(const Prompt& prompt) const {
  // A chat's template writes the prefix itself where there is one.
  std::vector<TokenId> ids = encode(pieces(prompt), prompt.add_prefix && prompt.chat.empty());
  if (ids.empty()) ids.push_back(prefix_token());
  return ids;
}

// lm-evaluation-harness 0.4.13 _encode_pair: the boundary is decided by the length of the encoded
// prompt, so a merge across it shifts a token, and we shift the same one.
std::vector<EncodedPair> PromptEncoder::retokenize(std::vector<PromptPiece> all,
                                                   const std::vector<std::string>& continuations,
                                                   bool add_prefix) const {
  std::string moved;
  if (!all.empty() && all.back().ids.empty()) {
    std::string& text = all.back().text;
    const size_t keep = python_rstrip(text).size();
    moved = text.substr(keep);
    text.resize(keep);
    if (text.empty() && all.size() > 1) all.pop_back();
  }
  const std::vector<TokenId> before = encode(all, add_prefix);
  std::vector<EncodedPair> pairs;
  all.emplace_back();
  for (const std::string& continuation : continuations) {
    all.back() = {moved + continuation, ParseSpecial::kNo, {}};
    std::vector<TokenId> whole = encode(all, add_prefix);
    EncodedPair& pair = pairs.emplace_back();
    // Where nothing stands before the continuation, the prefix token does.
    if (before.empty()) {
      pair.prompt = {prefix_token()};
      pair.continuation = std::move(whole);
      continue;
    }
    const auto cut = static_cast<std::ptrdiff_t>(std::min(before.size(), whole.size()));
    pair.continuation.assign(whole.begin() + cut, whole.end());
    whole.resize(static_cast<size_t>(cut));
    pair.prompt = std::move(whole);
  }
  return pairs;
}

// A continuation's tokens where they do not depend on what stands before.
std::vector<TokenId> PromptEncoder::lone(const std::string& continuation, Boundary boundary) const {
  if (boundary == Boundary::kVocabularyEntry) {
    const std::optional<TokenId> id = tokenizer_.find(continuation);
    if (!id)
      throw fail(Code::kInput,
                 "option \"{}\": not an entry of the vocabulary, need one for this protocol",
                 continuation);
    return {*id};
  }
  std::vector<TokenId> ids;
  tokenizer_.encode(continuation, ParseSpecial::kNo, ids);
  if (boundary == Boundary::kSeparateLast && ids.size() > 1) ids.erase(ids.begin(), ids.end() - 1);
  return ids;
}

std::vector<EncodedPair> PromptEncoder::pairs(const Prompt& prompt_in,
                                              const std::vector<std::string>& continuations,
                                              Boundary boundary) const {
  std::vector<EncodedPair> pairs;
  if (boundary == Boundary::kRetokenize) {
    pairs = retokenize(
        pieces(prompt_in), continuations, prompt_in.add_prefix && prompt_in.chat.empty());
  } else {
    const std::vector<TokenId> before = prompt(prompt_in);
    for (const std::string& continuation : continuations)
      pairs.push_back({before, lone(continuation, boundary)});
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].continuation.empty()) {
      throw fail(Code::kInput,
                 "option \"{}\": found no token of its own after the prompt, need at least one",
                 continuations[i]);
    }
  }
  return pairs;
}

}  // namespace keju
