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
EncodedPair PromptEncoder::retokenize(std::vector<PromptPiece> all,
                                      const std::string& continuation,
                                      bool add_prefix) const {
  std::string moved;
  if (!all.empty() && all.back().ids.empty()) {
    std::string& text = all.back().text;
    const size_t keep = python_rstrip(text).size();
    moved = text.substr(keep);
    text.resize(keep);
    if (text.empty() && all.size() > 1) all.pop_back();
  }
  EncodedPair pair;
  pair.prompt = encode(all, add_prefix);
  all.push_back({moved + continuation, ParseSpecial::kNo, {}});
  const std::vector<TokenId> whole = encode(all, add_prefix);
  // Where nothing stands before the continuation, the prefix token does.
  if (pair.prompt.empty()) {
    pair.prompt = {prefix_token()};
    pair.continuation = whole;
    return pair;
  }
  const size_t cut = std::min(pair.prompt.size(), whole.size());
  pair.continuation.assign(whole.begin() + static_cast<std::ptrdiff_t>(cut), whole.end());
  pair.prompt.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
  return pair;
}

EncodedPair PromptEncoder::pair(const Prompt& prompt_in,
                                const std::string& continuation,
                                Boundary boundary) const {
  EncodedPair pair;
  if (boundary == Boundary::kRetokenize) {
    pair =
        retokenize(pieces(prompt_in), continuation, prompt_in.add_prefix && prompt_in.chat.empty());
  } else {
    pair.prompt = prompt(prompt_in);
    if (boundary == Boundary::kVocabularyEntry) {
      const std::optional<TokenId> id = tokenizer_.find(continuation);
      if (!id)
        throw fail(Code::kInput,
                   "option \"{}\": not an entry of the vocabulary, need one for this protocol",
                   continuation);
      pair.continuation = {*id};
    } else {
      tokenizer_.encode(continuation, ParseSpecial::kNo, pair.continuation);
      if (boundary == Boundary::kSeparateLast && pair.continuation.size() > 1) {
        pair.continuation.erase(pair.continuation.begin(), pair.continuation.end() - 1);
      }
    }
  }
  if (pair.continuation.empty()) {
    throw fail(Code::kInput,
               "option \"{}\": found no token of its own after the prompt, need at least one",
               continuation);
  }
  return pair;
}

}  // namespace keju
