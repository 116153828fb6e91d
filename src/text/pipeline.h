// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/decode.h"
#include "text/model.h"
#include "text/normalize.h"
#include "text/pretokenize.h"
#include "text/spm.h"
#include "text/vocab.h"

namespace keju {

// What a tokenizer is made of; the readers of the file formats fill it in.
struct TokenizerParts {
  std::string kind;
  std::string digest;
  std::unique_ptr<Vocab> vocab = std::make_unique<Vocab>();
  std::unique_ptr<std::vector<Piece>> pieces;  // SentencePiece models: what the model refers to
  std::vector<AddedToken> added;
  std::vector<std::unique_ptr<Normalizer>> normalizers;
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers;
  std::unique_ptr<TokenModel> model;
  std::vector<std::unique_ptr<DecodeStep>> decode;
  bool join_with_space = false;  // decoding without a decoder: spellings parted by spaces
  bool raw_added = false;        // decode steps leave added tokens' spellings alone
  std::string unknown_surface;   // what the unknown id decodes to, if not its spelling
  SpecialIds special;
};

std::unique_ptr<Tokenizer> make_tokenizer(TokenizerParts parts, std::string_view where);

// Adds the ids of end-of-turn spellings that the vocabulary has ("<|im_end|>", "<end_of_turn>" …)
// and EOS to `special.stops`, and sorts it. Only added tokens, control
// tokens of GGUF files and user-defined pieces of SentencePiece count.
void add_known_stops(TokenizerParts& parts);

}  // namespace keju
