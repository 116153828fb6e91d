// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/template/ast.h"
#include "text/template/lexer.h"

namespace keju::jinja {

// Tokens to tree. Statements are read by recursive descent, operators by binding power (Pratt).
// Source: jinja2 3.1 parser.py for what is accepted and how errors read.
class Parser {
 public:
  Parser(std::vector<Token> tokens, Tree& tree, Cursor& cursor);
  Block template_body();

 private:
  using Names = std::initializer_list<std::string_view>;
  enum class Target { kNames, kNamesAndAttributes };

  // Tokens.
  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next();
  bool skip_name(std::string_view name);
  bool skip_operator(std::string_view op);
  Token expect_name();
  void expect_name(std::string_view name);
  void expect_operator(std::string_view op);
  void expect(Token::Type type, const char* shown);
  bool at_any(Names names) const;
  [[noreturn]] void fail(const std::string& what, int line = 0);
  [[noreturn]] void fail_expected(std::string_view what);
  [[noreturn]] void fail_tag(const std::string& name, int line);

  // Statements.
  Block subparse(Names ends);
  Block statements(Names ends, bool drop);
  void statement(Block& out);
  Stmt* for_statement();
  Stmt* if_statement();
  Stmt* set_statement();
  Stmt* macro_statement();
  Stmt* call_statement();
  Stmt* filter_statement();
  Stmt* with_statement();
  Stmt* print_statement();
  Stmt* block_statement();
  Stmt* autoescape_statement();
  Stmt* generation_statement();
  void signature(Stmt& stmt);
  Expr* target(Target where);
  void check_target(Expr* expr);

  // Expressions.
  Expr* expression();
  Expr* condition_free() { return operators(0); }
  Expr* operators(int least);
  Expr* infix(Expr* left, int power);
  Expr* unary(bool with_filters);
  Expr* primary(bool namespaces = false);
  Expr* name_or_constant(bool namespaces);
  Expr* tuple(bool conditions, bool parentheses);
  Expr* list();
  Expr* dict();
  Expr* postfix(Expr* node);
  Expr* filters_and_tests(Expr* node);
  Expr* subscript(Expr* node);
  Expr* bracketed(Expr* node, int line);
  Expr* subscribed(Expr* node);
  Expr* call(Expr* node);
  void arguments(CallExpr& out);
  void argument(CallExpr& out, int line);
  Expr* filter(Expr* node, bool named);
  Expr* test(Expr* node);
  Expr* make(Expr::Kind kind, int line) { return tree_.expr(kind, line); }
  Expr* constant(Value value, int line);
  Expr* sealed(Expr* node);  // when its children are known: bounds the height of the tree

  // Bounds the recursion of the descent.
  class Level {
   public:
    explicit Level(Parser& parser);
    ~Level() { --parser_.level_; }

   private:
    Parser& parser_;
  };

  std::vector<Token> tokens_;
  size_t at_ = 0;
  Tree& tree_;
  Cursor& cursor_;
  int level_ = 0;
  std::vector<std::vector<std::string>> ends_;  // end tags that the open statements wait for
  std::vector<std::string> tags_;               // the open statements
};

}  // namespace keju::jinja
