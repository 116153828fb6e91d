// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
#include "text/model.h"
#include "text/spm.h"
#include "text/vocab.h"

namespace keju {

// One piece that a path may use.
struct UnigramCandidate {
  std::string_view text;  // must outlive the model
  TokenId id;
  double score;         // log-probability
  double per_byte = 0;  // added for each byte of the text
};

struct UnigramOptions {
  bool single_precision = false;  // path scores are kept as floats
  double unknown_score = 0;       // of a character that no piece begins and ends with
};

// The path of the best sum of scores through a text; of equals the one found first, as both
// references find it. Parts that no piece covers have id -1.
class BestPath {
 public:
  BestPath(const std::vector<UnigramCandidate>& candidates, UnigramOptions options);
  struct Part {
    size_t begin;
    size_t end;
    TokenId id;
  };
  void find(std::string_view text, std::vector<Part>& parts) const;

 private:
  struct Value {
    TokenId id;
    double score;
    double per_byte;
  };
  UnigramOptions options_;
  ByteTrie trie_;
  std::vector<Value> values_;
};

// SentencePiece's unigram model.
// Source: sentencepiece 0.2 unigram_model.cc (EncodeOptimized).
class SpmUnigram : public TokenModel {
 public:
  explicit SpmUnigram(std::shared_ptr<const PieceSet> pieces);
  void encode(std::string_view word, std::vector<TokenId>& out) const override;

 private:
  std::shared_ptr<const PieceSet> pieces_;
  BestPath path_;
};

// Hugging Face's unigram model. Source: tokenizers 0.23 models/unigram/model.rs.
class HfUnigram : public TokenModel {
 public:
  struct Options {
    std::optional<TokenId> unk = std::nullopt;
    bool byte_fallback = false;
  };
  // scores[id] belongs to vocabulary entry id. `vocab` must outlive the model.
  HfUnigram(const Vocab& vocab,
            const std::vector<double>& scores,
            Options options,
            std::string where);
  void encode(std::string_view word, std::vector<TokenId>& out) const override;

 private:
  void append(std::string_view text, std::vector<TokenId>& out) const;
  const Vocab& vocab_;
  Options options_;
  std::string where_;
  BestPath path_;
};

}  // namespace keju
