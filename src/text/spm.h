// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/merge.h"
#include "text/model.h"
#include "text/segments.h"
#include "text/vocab.h"

namespace keju {

// What a piece is, numbered as sentencepiece_model.proto and GGUF's token_type do.
enum class PieceType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

struct Piece {
  std::string_view text;  // lasts as long as the piece: the vocabulary's
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct PieceOptions {
  // Text that spells a user-defined piece is always that piece (off where the caller cuts such
  // pieces out before).
  bool match_user_defined = true;
  // What no piece covers becomes the pieces of its bytes, if there are all 256.
  bool byte_fallback = true;
};

// What SentencePiece models share: pieces by text, byte pieces, the unknown piece and the matcher
// of user-defined pieces.
class PieceSet {
  auto text_of() const {
    return [this](TokenId id) -> std::string_view { return (*this)[id].text; };
  }

 public:
  // `pieces` must outlive the set.
  PieceSet(const std::vector<Piece>& pieces, PieceOptions options, std::string_view where);

  const std::vector<Piece>& pieces() const { return pieces_; }
  const Piece& operator[](TokenId id) const { return pieces_[static_cast<size_t>(id)]; }
  // Of ordinary pieces; -1 if none is spelled so.
  TokenId find(std::string_view text) const { return table_.find(text, text_of()); }
  size_t longest() const { return longest_; }
  TokenId unk() const { return unk_; }  // -1 if there is none
  bool has_unused() const { return has_unused_; }
  // Bytes of the user-defined piece that `text` begins with (the longest), or 0.
  size_t user_defined_prefix(std::string_view text) const;
  bool starts_user_defined(char byte) const {
    return user_defined_starts_[static_cast<uint8_t>(byte)];
  }
  bool byte_fallback() const { return byte_fallback_; }
  // Appends what stands for text that no piece covers: its bytes' pieces, or the unknown piece.
  void append_unknown(std::string_view text, std::vector<TokenId>& out) const;

 private:
  const std::vector<Piece>& pieces_;
  StringTable table_;
  StringTable user_defined_;
  std::vector<size_t> user_defined_sizes_;  // distinct, longest first
  std::array<bool, 256> user_defined_starts_{};
  std::array<TokenId, 256> byte_ids_{};
  TokenId unk_ = -1;
  size_t longest_ = 0;
  bool has_unused_ = false;
  bool byte_fallback_ = false;
};

// SentencePiece's BPE: characters joined in the order of the joined piece's score.
// Source: sentencepiece 0.2 bpe_model.cc; llama.cpp's tokenizer for the model "llama".
class SpmBpe : public TokenModel {
 public:
  explicit SpmBpe(std::shared_ptr<const PieceSet> pieces);
  void encode(std::string_view word, std::vector<TokenId>& out) const override;

 private:
  using Splits = std::unordered_map<TokenId, uint32_t>;  // unused piece to its left part's bytes
  void encode_part(std::string_view part, std::vector<TokenId>& out) const;
  void append(std::string_view text, const Splits& splits, std::vector<TokenId>& out) const;

  std::shared_ptr<const PieceSet> pieces_;
  std::vector<uint32_t> ranks_;      // by id: 0 for the best score; equal scores, equal ranks
  std::vector<TokenId> characters_;  // by code point of the basic plane: its piece, or -1
  Junctions junctions_;
  uint64_t serial_;
};

}  // namespace keju
