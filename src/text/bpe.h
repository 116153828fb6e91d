// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/merge.h"
#include "text/model.h"
#include "text/segments.h"
#include "text/vocab.h"

namespace keju {

// (left id, right id) to merge, by open addressing.
class PairTable {
 public:
  explicit PairTable(size_t expected);
  void set(TokenId left, TokenId right, Merge merge);  // a later one replaces an earlier one
  Merge find(TokenId left, TokenId right) const {
    const uint64_t key = key_of(left, right);
    for (size_t at = mix64(key, 0) & mask_; slots_[at].key != kEmpty; at = (at + 1) & mask_) {
      if (slots_[at].key == key) return slots_[at].merge;
    }
    return {};
  }
  void prefetch(TokenId left, TokenId right) const {
    __builtin_prefetch(&slots_[mix64(key_of(left, right), 0) & mask_]);
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };
  static uint64_t key_of(TokenId left, TokenId right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  void grow();
  std::vector<Slot> slots_;
  size_t mask_;
  size_t count_ = 0;
};

struct BpeOptions {
  bool byte_level = false;     // symbols are bytes spelled in stand-ins; else characters
  bool ignore_merges = false;  // a word that is in the vocabulary as a whole becomes that id
  bool byte_fallback = false;  // an unknown character becomes its <0xXX> ids if all exist
  bool fuse_unk = false;       // a run of unknown characters becomes one id
  // Byte-level: a byte that is no piece keeps its neighbours apart and is left out at the end, as
  // llama.cpp does; else it is left out first, as Hugging Face does, and they may join.
  bool unknown_parts = false;
  std::optional<TokenId> unk = std::nullopt;
};

// Byte-pair encoding with a list of merges, as Hugging Face tokenizers 0.2x applies it (which for
// byte-level vocabularies equals GPT-2, llama.cpp and tiktoken).
class PairBpe : public TokenModel {
 public:
  // `vocab` must outlive the model.
  PairBpe(const Vocab& vocab, BpeOptions options, size_t expected_merges);
  // Merges in order of rank. Errors: Error(kInput) if a part or the whole is not in the vocabulary.
  void add_merge(std::string_view left, std::string_view right, std::string_view where);
  void add_merge_ids(TokenId left, TokenId right, Merge merge);
  void finish();

  void encode(std::string_view word, std::vector<TokenId>& out) const override;

 private:
  std::string_view text_of(TokenId id) const;
  void encode_parts(std::string_view word, SegmentCache& cache, std::vector<TokenId>& out) const;
  void encode_part(std::string_view part, std::vector<TokenId>& out) const;
  void byte_symbols(std::string_view part, std::vector<Symbol>& symbols) const;
  void find_characters();
  TokenId merged_alone(std::string_view character) const;
  void char_symbols(std::string_view part, std::vector<Symbol>& symbols) const;
  bool fallback_symbols(std::string_view character, std::vector<Symbol>& symbols) const;
  TokenId whole(std::string_view word) const;

  TokenId in_model(std::string_view text) const;

  const Vocab& vocab_;
  BpeOptions options_;
  std::vector<bool>
      known_;  // ids that the vocabulary had from the start: added tokens are no pieces
  PairTable pairs_;
  uint32_t next_rank_ = 0;
  Junctions junctions_;
  uint64_t serial_;
  std::array<TokenId, 256> byte_ids_{};      // byte-level: the id of each byte, -1 if none
  std::array<TokenId, 256> fallback_ids_{};  // the id of <0xXX>, -1 if none
  // Byte-level: the bytes of every id and, for ignore_merges, the way back.
  std::vector<std::string> bytes_;
  // Byte-level: the one id that the merges make of a character of the first plane, where they may
  // be done before all others: every merge that uses the character ranks behind its own. Else -1.
  std::vector<TokenId> characters_;
  std::vector<uint32_t> first_use_;  // while merges are added: the lowest rank that uses an id
  StringTable whole_;
};

}  // namespace keju
