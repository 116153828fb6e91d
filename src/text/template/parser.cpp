// SPDX-License-Identifier: MIT
#include "text/template/parser.h"

#include <algorithm>

#include "base/error.h"

namespace keju::jinja {

namespace {
constexpr int kMaxLevel = 400;
}

Parser::Parser(std::vector<Token> tokens, Tree& tree, Cursor& cursor)
    : tokens_(std::move(tokens)), tree_(tree), cursor_(cursor) {
  if (current().type == Token::Type::kError) fail(current().text, current().line);
}

Parser::Level::Level(Parser& parser) : parser_(parser) {
  if (++parser_.level_ > kMaxLevel) {
    --parser_.level_;
    Runtime::over("levels of nesting", kMaxLevel);
  }
}

void Parser::fail(const std::string& what, int line) {
  cursor_.line = line > 0 ? line : current().line;
  raise("TemplateSyntaxError", what);
}

void Parser::fail_expected(std::string_view what) {
  if (current().type == Token::Type::kEnd) {
    fail(fmt::format("unexpected end of template, expected '{}'.", what));
  }
  fail(fmt::format("expected token '{}', got '{}'", what, describe(current())));
}

// A tag that cannot stand here, or with an empty name the end of the template.
void Parser::fail_tag(const std::string& name, int line) {
  std::vector<std::string> expected;
  for (const auto& ends : ends_) expected.insert(expected.end(), ends.begin(), ends.end());
  const auto quoted = [](const std::vector<std::string>& names) {
    std::string out;
    for (size_t i = 0; i < names.size(); ++i) {
      out += (i == 0 ? "'" : " or '") + names[i] + "'";
    }
    return out;
  };
  std::string what = name.empty() ? "Unexpected end of template."
                                  : fmt::format("Encountered unknown tag '{}'.", name);
  if (!ends_.empty()) {
    const bool misplaced =
        !name.empty() && std::find(expected.begin(), expected.end(), name) != expected.end();
    what += misplaced ? " You probably made a nesting mistake. Jinja is expecting this tag, but "
                        "currently looking for "
                      : " Jinja was looking for the following tags: ";
    what += quoted(ends_.back()) + ".";
  }
  if (!tags_.empty()) {
    what += fmt::format(" The innermost block that needs to be closed is '{}'.", tags_.back());
  }
  fail(what, line);
}

Token Parser::next() {
  Token token = current();
  if (at_ + 1 < tokens_.size()) ++at_;
  if (current().type == Token::Type::kError) fail(current().text, current().line);
  return token;
}

bool Parser::skip_name(std::string_view name) {
  const bool found = current().is_name(name);
  if (found) next();
  return found;
}

bool Parser::skip_operator(std::string_view op) {
  const bool found = current().is_operator(op);
  if (found) next();
  return found;
}

Token Parser::expect_name() {
  if (current().type != Token::Type::kName) fail_expected("name");
  return next();
}

void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) fail_expected(name);
}

void Parser::expect_operator(std::string_view op) {
  if (!skip_operator(op)) fail_expected(op);
}

void Parser::expect(Token::Type type, const char* shown) {
  if (current().type != type) fail_expected(shown);
  next();
}

bool Parser::at_any(Names names) const {
  return current().type == Token::Type::kName &&
         std::find(names.begin(), names.end(), current().text) != names.end();
}

Block Parser::template_body() { return subparse({}); }

// Text and tags up to a block that begins with one of `ends`, or up to the end.
Block Parser::subparse(Names ends) {
  const Level level(*this);
  Block body;
  if (ends.size() > 0) ends_.emplace_back(ends.begin(), ends.end());
  Stmt* output = nullptr;
  while (current().type != Token::Type::kEnd) {
    const Token token = next();
    if (token.type == Token::Type::kData) {
      output = nullptr;
      Stmt* data = tree_.stmt(Stmt::Kind::kData, token.line);
      data->text = token.text;
      body.push_back(data);
    } else if (token.type == Token::Type::kVariableBegin) {
      if (!output) body.push_back(output = tree_.stmt(Stmt::Kind::kOutput, token.line));
      output->exprs.push_back(tuple(true, false));
      expect(Token::Type::kVariableEnd, "end of print statement");
    } else {
      output = nullptr;
      if (at_any(ends)) {
        ends_.pop_back();
        return body;
      }
      statement(body);
      expect(Token::Type::kBlockEnd, "end of statement block");
    }
  }
  if (ends.size() > 0) fail_tag("", current().line);
  return body;
}

Block Parser::statements(Names ends, bool drop) {
  skip_operator(":");
  expect(Token::Type::kBlockEnd, "end of statement block");
  Block body = subparse(ends);
  if (drop) next();
  return body;
}

void Parser::statement(Block& out) {
  const Token token = current();
  if (token.type != Token::Type::kName) fail("tag name expected");
  struct Entry {
    std::string_view name;
    Stmt* (Parser::*parse)();
  };
  static constexpr Entry kEntries[] = {{"for", &Parser::for_statement},
                                       {"if", &Parser::if_statement},
                                       {"set", &Parser::set_statement},
                                       {"macro", &Parser::macro_statement},
                                       {"call", &Parser::call_statement},
                                       {"filter", &Parser::filter_statement},
                                       {"with", &Parser::with_statement},
                                       {"print", &Parser::print_statement},
                                       {"block", &Parser::block_statement},
                                       {"autoescape", &Parser::autoescape_statement},
                                       {"generation", &Parser::generation_statement}};
  for (const Entry& entry : kEntries) {
    if (entry.name != token.text) continue;
    tags_.push_back(token.text);
    next();
    Stmt* stmt = (this->*entry.parse)();
    stmt->line = token.line;
    out.push_back(stmt);
    tags_.pop_back();
    return;
  }
  if (token.text == "break" || token.text == "continue") {
    next();
    const bool leaves = token.text == "break";
    out.push_back(tree_.stmt(leaves ? Stmt::Kind::kBreak : Stmt::Kind::kContinue, token.line));
    return;
  }
  for (const char* refused : {"include", "import", "from", "extends"}) {
    if (token.text == refused) {
      fail(fmt::format("tag '{}' is not supported: a template stands alone", refused));
    }
  }
  fail_tag(token.text, token.line);
}

Stmt* Parser::for_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kFor, current().line);
  stmt->targets.push_back(target(Target::kNames));
  expect_name("in");
  stmt->exprs.push_back(tuple(false, false));
  if (skip_name("if")) stmt->filter = expression();
  stmt->recursive = skip_name("recursive");
  stmt->body = statements({"endfor", "else"}, false);
  if (next().text == "else") stmt->other = statements({"endfor"}, true);
  return stmt;
}

Stmt* Parser::if_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kIf, current().line);
  for (;;) {
    Expr* test = tuple(false, false);
    stmt->branches.emplace_back(test, statements({"elif", "else", "endif"}, false));
    const std::string tag = next().text;
    if (tag == "elif") continue;
    if (tag == "else") stmt->other = statements({"endif"}, true);
    return stmt;
  }
}

Stmt* Parser::set_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kSet, current().line);
  stmt->targets.push_back(target(Target::kNamesAndAttributes));
  if (skip_operator("=")) {
    stmt->exprs.push_back(tuple(true, false));
    return stmt;
  }
  stmt->kind = Stmt::Kind::kSetBlock;
  stmt->filter = filter(nullptr, false);
  stmt->body = statements({"endset"}, true);
  return stmt;
}

void Parser::signature(Stmt& stmt) {
  expect_operator("(");
  while (!current().is_operator(")")) {
    if (!stmt.targets.empty()) expect_operator(",");
    const Token name = expect_name();
    Expr* parameter = make(Expr::Kind::kTarget, name.line);
    parameter->name = name.text;
    check_target(parameter);
    stmt.targets.push_back(parameter);
    if (skip_operator("=")) {
      stmt.exprs.push_back(expression());
    } else if (!stmt.exprs.empty()) {
      fail("non-default argument follows default argument");
    }
  }
  expect_operator(")");
}

Stmt* Parser::macro_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kMacro, current().line);
  const Token name = expect_name();
  stmt->text = name.text;
  Expr* check = make(Expr::Kind::kTarget, name.line);
  check->name = name.text;
  check_target(check);
  signature(*stmt);
  stmt->body = statements({"endmacro"}, true);
  return stmt;
}

Stmt* Parser::call_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kCallBlock, current().line);
  if (current().is_operator("(")) signature(*stmt);
  Expr* call = expression();
  if (call->kind != Expr::Kind::kCall) fail("expected call", call->line);
  stmt->filter = call;
  stmt->body = statements({"endcall"}, true);
  return stmt;
}

Stmt* Parser::filter_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kFilterBlock, current().line);
  stmt->filter = filter(nullptr, true);
  stmt->body = statements({"endfilter"}, true);
  return stmt;
}

Stmt* Parser::with_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kWith, current().line);
  while (current().type != Token::Type::kBlockEnd) {
    if (!stmt->targets.empty()) expect_operator(",");
    stmt->targets.push_back(target(Target::kNames));
    expect_operator("=");
    stmt->exprs.push_back(expression());
  }
  stmt->body = statements({"endwith"}, true);
  return stmt;
}

Stmt* Parser::print_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kOutput, current().line);
  while (current().type != Token::Type::kBlockEnd) {
    if (!stmt->exprs.empty()) expect_operator(",");
    stmt->exprs.push_back(expression());
  }
  return stmt;
}

// No other template can fill a block: it stands in its place.
Stmt* Parser::block_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kBlock, current().line);
  stmt->text = expect_name().text;
  stmt->scoped = skip_name("scoped");
  if (current().is_name("required")) {
    fail("a required block is not supported: a template stands alone");
  }
  if (current().is_operator("-")) {
    fail(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use "
        "an underscore instead.");
  }
  stmt->body = statements({"endblock"}, true);
  skip_name(stmt->text);
  return stmt;
}

Stmt* Parser::autoescape_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kWith, current().line);
  const Expr* on = expression();
  if (on->kind != Expr::Kind::kConst || !on->constant.is(Kind::kBool) || on->constant.as_bool()) {
    fail("tag 'autoescape' is supported with false alone: text is not escaped for HTML");
  }
  stmt->body = statements({"endautoescape"}, true);
  return stmt;
}

Stmt* Parser::generation_statement() {
  Stmt* stmt = tree_.stmt(Stmt::Kind::kScope, current().line);
  expect(Token::Type::kBlockEnd, "end of statement block");
  stmt->body = subparse({"endgeneration"});
  next();
  return stmt;
}

// Names, tuples of names and, for set, attributes of namespaces.
Expr* Parser::target(Target where) {
  const int line = current().line;
  const bool namespaces = where == Target::kNamesAndAttributes;
  std::vector<Expr*> items;
  bool many = false;
  for (;;) {
    if (!items.empty()) expect_operator(",");
    const Token::Type type = current().type;
    const bool ends = type == Token::Type::kVariableEnd || type == Token::Type::kBlockEnd ||
                      current().is_operator(")");
    if (ends) break;
    items.push_back(primary(namespaces));
    if (!current().is_operator(",")) break;
    many = true;
  }
  Expr* made = items.empty() ? nullptr : items[0];
  if (!many && !made) {
    fail(fmt::format("Expected an expression, got '{}'", describe(current())));
  }
  if (many) {
    made = make(Expr::Kind::kTuple, line);
    made->items = items;
  }
  check_target(made);
  return made;
}

// Turns what was parsed as an expression into a target, or says that it cannot be one.
void Parser::check_target(Expr* expr) {
  const Level level(*this);
  const auto refuse = [&](const char* what) {
    fail(fmt::format("can't assign to '{}'", what), expr->line);
  };
  static constexpr std::string_view kReserved[] = {
      "true", "false", "none", "True", "False", "None"};
  switch (expr->kind) {
    case Expr::Kind::kName:
    case Expr::Kind::kTarget:
      if (std::find(std::begin(kReserved), std::end(kReserved), expr->name) !=
          std::end(kReserved)) {
        refuse("name");
      }
      expr->kind = Expr::Kind::kTarget;
      return;
    case Expr::Kind::kTuple:
      for (Expr* item : expr->items) check_target(item);
      return;
    case Expr::Kind::kNamespace:
      return;
    case Expr::Kind::kConst:
      return refuse("const");
    case Expr::Kind::kList:
      return refuse("list");
    case Expr::Kind::kDict:
      return refuse("dict");
    default:
      return refuse("expression");
  }
}

void parse(std::string_view source, bool trim, Tree& tree, Cursor& cursor) {
  tree.body = Parser(tokenize(source, trim), tree, cursor).template_body();
}

}  // namespace keju::jinja
