// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "text/tokenizer.h"

namespace keju {

// One id per byte: id = byte % 150 + 3; id 2 ends a text, id 1 begins one. Enough for tests of what
// stands above a tokenizer.
inline std::shared_ptr<const Tokenizer> make_toy_tokenizer() {
  class Toy : public Tokenizer {
   public:
    Toy() {
      special_.eos = 2;
      special_.bos = 1;
      special_.stops = {2};
    }
    void encode(std::string_view text, ParseSpecial, std::vector<TokenId>& out) const override {
      for (const char c : text) out.push_back(static_cast<unsigned char>(c) % 150 + 3);
    }
    std::string piece(TokenId id) const override {
      return std::string(1, static_cast<char>('a' + id % 26));
    }
    bool is_special(TokenId id) const override { return id < 3; }
    std::string decode(const std::vector<TokenId>& ids, bool) const override {
      std::string text;
      for (const TokenId id : ids) text += piece(id);
      return text;
    }
    std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
    int64_t vocab_size() const override { return 160; }
    const SpecialIds& special() const override { return special_; }
    std::string kind() const override { return "toy"; }
    std::string digest() const override { return "toy"; }

   private:
    SpecialIds special_;
  };
  return std::make_shared<Toy>();
}

}  // namespace keju
