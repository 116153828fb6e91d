// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalize.h"
#include "text/spm.h"

namespace keju {

// SentencePiece's compiled normalization rules: a double-array trie from texts to replacements.
// Source: sentencepiece 0.2 normalizer.cc (DecodePrecompiledCharsMap), darts-clone 0.32 darts.h.
class CharsMap {
 public:
  // `blob` as in normalizer_spec.precompiled_charsmap; empty means no rules.
  // Errors: Error(kInput) if its sizes do not fit.
  CharsMap(std::string_view blob, std::string_view where);
  bool empty() const { return units_.empty(); }

  struct Rule {
    size_t size = 0;  // bytes of the text that it replaces; 0: no rule
    std::string_view by;
  };
  Rule longest(std::string_view text) const;
  Rule shortest(std::string_view text) const;
  bool starts(char byte) const;  // whether a rule's text may begin with this byte

 private:
  Rule find(std::string_view text, bool first) const;
  std::vector<uint32_t> units_;
  std::string replacements_;
};

struct SpmNormalizerOptions {
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;
};

// The whole normalizer of a SentencePiece model. User-defined pieces pass unchanged.
std::unique_ptr<Normalizer> spm_normalizer(CharsMap map,
                                           SpmNormalizerOptions options,
                                           std::shared_ptr<const PieceSet> pieces);

// Hugging Face's Precompiled: rules are tried on whole grapheme clusters, then on characters.
std::unique_ptr<Normalizer> precompiled(CharsMap map);

}  // namespace keju
