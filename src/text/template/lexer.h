// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keju::jinja {

struct Token {
  enum class Type {
    kData,
    kVariableBegin,
    kVariableEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
    kError,  // `text` says what is wrong; raised when the parser comes to it
  };
  Type type = Type::kEnd;
  std::string text;
  int line = 1;
  int64_t integer = 0;
  double number = 0;

  bool is_name(std::string_view name) const { return type == Type::kName && text == name; }
  bool is_operator(std::string_view op) const { return type == Type::kOperator && text == op; }
};

// How messages name a token.
std::string describe(const Token& token);

// Tokens of a template, the last of them kEnd or kError. Line breaks become \n and a last one is
// dropped; with `trim`, trim_blocks and lstrip_blocks hold. Source: jinja2 3.1 lexer.py.
std::vector<Token> tokenize(std::string_view source, bool trim);

}  // namespace keju::jinja
