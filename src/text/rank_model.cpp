// SPDX-License-Identifier: MIT
#include "text/rank_model.h"

namespace keju {

// The merge of lowest rank is that of the pair whose joined bytes have the lowest rank, so every
// split of a token into two others is a merge of the token's own rank.
std::unique_ptr<PairBpe> rank_model(const std::vector<std::string>& tokens,
                                    TokenId first,
                                    Vocab& vocab,
                                    std::string_view where) {
  StringTable ranks;
  const auto bytes_of = [&tokens](TokenId rank) -> std::string_view {
    return tokens[static_cast<size_t>(rank)];
  };
  ranks.reserve(tokens.size(), bytes_of);
  for (size_t i = 0; i < tokens.size(); ++i) {
    ranks.insert(tokens[i], static_cast<TokenId>(i), bytes_of);
    vocab.add(stand_ins_from_bytes(tokens[i]), first + static_cast<TokenId>(i), where);
  }
  auto model = std::make_unique<PairBpe>(
      vocab, BpeOptions{.byte_level = true, .ignore_merges = true}, tokens.size() * 3);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view token = tokens[i];
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const TokenId left = ranks.find(token.substr(0, cut), bytes_of);
      const TokenId right = left < 0 ? -1 : ranks.find(token.substr(cut), bytes_of);
      if (right < 0) continue;
      const auto rank = static_cast<TokenId>(i);
      model->add_merge_ids(first + left, first + right, {static_cast<uint32_t>(i), first + rank});
    }
  }
  model->finish();
  return model;
}

}  // namespace keju
