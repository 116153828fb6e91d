// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/key_values.h"

namespace keju {

using TokenId = int32_t;

// Whether text that spells a special token ("<|im_start|>") becomes that token or stays text.
enum class ParseSpecial { kNo, kYes };

// A part of a text, read under its own rule.
struct TextPart {
  std::string_view text;
  ParseSpecial parse = ParseSpecial::kNo;
};

// The ids with a role, as the checkpoint's files state them.
struct SpecialIds {
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> unk;
  std::optional<TokenId> pad;
  std::vector<TokenId> stops;  // every id that ends a generation (EOS, end of turn, …), ascending
  std::vector<TokenId>
      prefix;  // what the checkpoint's own rule puts before a text: [BOS], [gMASK] sop, or nothing
};

// Text to token ids and back, equal to the reference tokenizer of the checkpoint id for id.
// Threads: const and safe to share; caches inside are synchronised or per thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Appends the ids of `text` to `out`. Adds no BOS, EOS or prefix. Invalid UTF-8 is encoded as the
  // reference does it where it defines that (U+FFFD replaced), never a crash.
  virtual void encode(std::string_view text,
                      ParseSpecial parse,
                      std::vector<TokenId>& out) const = 0;
  std::vector<TokenId> encode(std::string_view text, ParseSpecial parse = ParseSpecial::kNo) const {
    std::vector<TokenId> ids;
    encode(text, parse, ids);
    return ids;
  }

  // Appends the ids of all parts as one text: pre-tokens and merges cross the seams. A special
  // token is read only where parts of kYes spell the whole of it. (By default: part by part, which
  // is the same where ids do not depend on their neighbours.)
  virtual void encode_parts(const std::vector<TextPart>& parts, std::vector<TokenId>& out) const {
    for (const TextPart& part : parts) encode(part.text, part.parse, out);
  }

  // The bytes that `id` contributes to a decoded text; may be a part of a UTF-8 sequence. A control
  // token contributes its spelling. Errors: Error(kUsage) for an id outside the vocabulary.
  virtual std::string piece(TokenId id) const = 0;
  virtual bool is_special(TokenId id) const = 0;

  // The text of `ids`, as the reference decodes it (the space that a dummy prefix added is taken
  // off the front); special tokens are left out unless `keep_special`.
  virtual std::string decode(const std::vector<TokenId>& ids, bool keep_special = false) const = 0;

  virtual std::optional<TokenId> find(
      std::string_view spelling) const = 0;  // exact vocabulary entry
  virtual int64_t vocab_size() const = 0;    // one above the largest id
  virtual const SpecialIds& special() const = 0;
  virtual std::string kind() const = 0;    // "bpe (gguf, smollm)", "unigram (tokenizer.model)" …
  virtual std::string digest() const = 0;  // sha256 over vocabulary, merges and rules
};

// Turns ids into text as they come, holding back bytes that do not yet form whole characters.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string push(TokenId id);  // what may be shown now
  std::string finish();          // the rest; a cut character becomes U+FFFD

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
  bool first_ = true;
};

// From GGUF metadata (tokenizer.ggml.*). Errors: Error(kUnsupported) names an unknown model or
// pre-tokenizer; Error(kInput) names a key that is missing or of the wrong length.
std::unique_ptr<Tokenizer> tokenizer_from_gguf(const KeyValues& metadata);

// From a checkpoint folder (tokenizer.json first, else tekken.json, tokenizer.model, *.tiktoken,
// vocab.json + merges.txt; tokenizer_config.json and special_tokens_map.json are read beside them),
// or from one such file. Errors: Error(kIo) if there is none; Error(kUnsupported) names what is not
// known.
std::unique_ptr<Tokenizer> tokenizer_from_path(const std::filesystem::path& path);

}  // namespace keju
