// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/parser.h"
#include "text/template/walk.h"

namespace keju::jinja {

namespace {

constexpr int kMaxHeight = 400;

// Binding powers of the infix operators; `not` as a prefix binds between `and` and comparisons.
enum Power { kNone = 0, kOr, kAnd, kNot, kCompare, kAdd, kConcat, kMultiply, kPower };

Power power_of(const Token& token, const Token& after) {
  if (token.type == Token::Type::kName) {
    if (token.text == "or") return kOr;
    if (token.text == "and") return kAnd;
    if (token.text == "in") return kCompare;
    return token.text == "not" && after.is_name("in") ? kCompare : kNone;
  }
  if (token.type != Token::Type::kOperator) return kNone;
  struct Entry {
    std::string_view op;
    Power power;
  };
  static constexpr Entry kOperators[] = {{"==", kCompare},
                                         {"!=", kCompare},
                                         {"<", kCompare},
                                         {"<=", kCompare},
                                         {">", kCompare},
                                         {">=", kCompare},
                                         {"+", kAdd},
                                         {"-", kAdd},
                                         {"~", kConcat},
                                         {"*", kMultiply},
                                         {"/", kMultiply},
                                         {"//", kMultiply},
                                         {"%", kMultiply},
                                         {"**", kPower}};
  for (const Entry& entry : kOperators) {
    if (entry.op == token.text) return entry.power;
  }
  return kNone;
}

Expr::Kind kind_of(int power) {
  switch (power) {
    case kOr:
      return Expr::Kind::kOr;
    case kAnd:
      return Expr::Kind::kAnd;
    case kCompare:
      return Expr::Kind::kCompare;
    case kConcat:
      return Expr::Kind::kConcat;
    default:
      return Expr::Kind::kBinary;
  }
}

}  // namespace

Expr* Parser::constant(Value value, int line) {
  Expr* node = make(Expr::Kind::kConst, line);
  node->constant = std::move(value);
  return node;
}

Expr* Parser::sealed(Expr* node) {
  int height = 0;
  for_each_child(node, [&](const Expr* child) { height = std::max(height, child->height); });
  node->height = height + 1;
  if (node->height > kMaxHeight) Runtime::over("levels of nesting", kMaxHeight);
  return node;
}

Expr* Parser::expression() {
  const Level level(*this);
  Expr* node = operators(kNone);
  while (current().is_name("if")) {
    Expr* cond = make(Expr::Kind::kCond, next().line);
    Expr* test = operators(kNone);
    Expr* other = skip_name("else") ? expression() : nullptr;
    cond->items = {test, node, other};
    node = sealed(cond);
  }
  return node;
}

// An operand and the infix operators after it that bind more tightly than `least`.
Expr* Parser::operators(int least) {
  const Level level(*this);
  Expr* left = nullptr;
  if (least < kNot && current().is_name("not")) {
    const int line = next().line;
    left = make(Expr::Kind::kNot, line);
    left->items.push_back(operators(kAnd));  // comparisons, or another `not`
    sealed(left);
  } else {
    left = unary(true);
  }
  for (;;) {
    const int power = power_of(current(), look());
    if (power <= least) return left;
    left = infix(left, power);
  }
}

// All operators of one power in a row make one node, evaluated from the left.
Expr* Parser::infix(Expr* left, int power) {
  Expr* node = make(kind_of(power), current().line);
  node->items.push_back(left);
  while (power_of(current(), look()) == power) {
    std::string op = next().text;
    if (op == "not") op += " " + next().text;
    node->texts.push_back(std::move(op));
    node->items.push_back(operators(power));
  }
  return sealed(node);
}

Expr* Parser::unary(bool with_filters) {
  const Level level(*this);
  Expr* node = nullptr;
  if (current().is_operator("-") || current().is_operator("+")) {
    const Token sign = next();
    node = make(sign.text == "-" ? Expr::Kind::kNegative : Expr::Kind::kPositive, sign.line);
    node->items.push_back(unary(false));
    sealed(node);
  } else {
    node = primary();
  }
  node = postfix(node);
  return with_filters ? filters_and_tests(node) : node;
}

Expr* Parser::name_or_constant(bool namespaces) {
  const Token token = next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(Value::boolean(true), token.line);
  if (name == "false" || name == "False") return constant(Value::boolean(false), token.line);
  if (name == "none" || name == "None") return constant(Value::none(), token.line);
  const bool attribute = namespaces && skip_operator(".");
  Expr* node = make(attribute ? Expr::Kind::kNamespace : Expr::Kind::kName, token.line);
  node->name = name;
  if (attribute) node->texts.push_back(expect_name().text);
  return node;
}

Expr* Parser::primary(bool namespaces) {
  const Token token = current();
  switch (token.type) {
    case Token::Type::kName:
      return name_or_constant(namespaces);
    case Token::Type::kString: {
      std::string text;
      while (current().type == Token::Type::kString) text += next().text;
      return constant(Value::string(text), token.line);
    }
    case Token::Type::kInteger:
      return constant(Value::integer(next().integer), token.line);
    case Token::Type::kFloat:
      return constant(Value::number(next().number), token.line);
    default:
      break;
  }
  if (token.is_operator("(")) {
    next();
    Expr* node = tuple(true, true);
    expect_operator(")");
    return node;
  }
  if (token.is_operator("[")) return list();
  if (token.is_operator("{")) return dict();
  fail(fmt::format("unexpected '{}'", describe(token)));
}

// One expression, or several parted by commas.
Expr* Parser::tuple(bool conditions, bool parentheses) {
  const int line = current().line;
  std::vector<Expr*> items;
  bool many = false;
  for (;;) {
    if (!items.empty()) expect_operator(",");
    const Token::Type type = current().type;
    if (type == Token::Type::kVariableEnd || type == Token::Type::kBlockEnd ||
        current().is_operator(")")) {
      break;
    }
    items.push_back(conditions ? expression() : condition_free());
    if (!current().is_operator(",")) break;
    many = true;
  }
  if (!many && !items.empty()) return items[0];
  if (!many && !parentheses) {
    fail(fmt::format("Expected an expression, got '{}'", describe(current())));
  }
  Expr* node = make(Expr::Kind::kTuple, line);
  node->items = std::move(items);
  return sealed(node);
}

Expr* Parser::list() {
  Expr* node = make(Expr::Kind::kList, next().line);
  while (!current().is_operator("]")) {
    if (!node->items.empty()) expect_operator(",");
    if (current().is_operator("]")) break;
    node->items.push_back(expression());
  }
  expect_operator("]");
  return sealed(node);
}

Expr* Parser::dict() {
  Expr* node = make(Expr::Kind::kDict, next().line);
  while (!current().is_operator("}")) {
    if (!node->items.empty()) expect_operator(",");
    if (current().is_operator("}")) break;
    node->items.push_back(expression());
    expect_operator(":");
    node->items.push_back(expression());
  }
  expect_operator("}");
  return sealed(node);
}

Expr* Parser::postfix(Expr* node) {
  for (;;) {
    if (current().is_operator(".") || current().is_operator("[")) {
      node = subscript(node);
    } else if (current().is_operator("(")) {
      node = call(node);
    } else {
      return node;
    }
  }
}

Expr* Parser::filters_and_tests(Expr* node) {
  for (;;) {
    if (current().is_operator("|")) {
      node = filter(node, false);
    } else if (current().is_name("is")) {
      node = test(node);
    } else if (current().is_operator("(")) {
      node = call(node);
    } else {
      return node;
    }
  }
}

Expr* Parser::subscript(Expr* node) {
  const Token token = next();
  if (token.text == "[") return bracketed(node, token.line);
  const Token attribute = next();
  if (attribute.type == Token::Type::kName) {
    Expr* made = make(Expr::Kind::kAttribute, token.line);
    made->name = attribute.text;
    made->constant = Value::string(attribute.text);
    made->items.push_back(node);
    return sealed(made);
  }
  if (attribute.type != Token::Type::kInteger) {
    fail("expected name or number", attribute.line);
  }
  Expr* made = make(Expr::Kind::kItem, token.line);
  made->items = {node, constant(Value::integer(attribute.integer), attribute.line)};
  return sealed(made);
}

Expr* Parser::bracketed(Expr* node, int line) {
  std::vector<Expr*> keys;
  while (!current().is_operator("]")) {
    if (!keys.empty()) expect_operator(",");
    keys.push_back(subscribed(node));
  }
  expect_operator("]");
  if (keys.size() == 1 && keys[0]->kind == Expr::Kind::kSlice) return keys[0];
  Expr* made = make(Expr::Kind::kItem, line);
  Expr* key = keys.size() == 1 ? keys[0] : make(Expr::Kind::kTuple, line);
  if (keys.size() != 1) key->items = keys;
  const bool slices =
      std::any_of(keys.begin(), keys.end(), [](Expr* k) { return k->kind == Expr::Kind::kSlice; });
  if (slices) {
    cursor_.line = line;
    raise("SyntaxError", "invalid syntax");
  }
  sealed(key);
  made->items = {node, key};
  return sealed(made);
}

// A key, or the slice start:stop:step of `node`.
Expr* Parser::subscribed(Expr* node) {
  const int line = current().line;
  const auto bound = [&]() -> Expr* {
    const bool absent =
        current().is_operator(":") || current().is_operator("]") || current().is_operator(",");
    return absent ? nullptr : expression();
  };
  Expr* start = current().is_operator(":") ? nullptr : expression();
  if (!skip_operator(":")) return start;
  Expr* made = make(Expr::Kind::kSlice, line);
  Expr* stop = bound();
  Expr* step = skip_operator(":") ? bound() : nullptr;
  made->items = {node, start, stop, step};
  return sealed(made);
}

Expr* Parser::call(Expr* node) {
  Expr* made = make(Expr::Kind::kCall, current().line);
  made->items.push_back(node);
  arguments(made->call);
  return sealed(made);
}

void Parser::arguments(CallExpr& out) {
  const int line = current().line;
  expect_operator("(");
  for (bool first = true; !current().is_operator(")"); first = false) {
    if (!first) {
      expect_operator(",");
      if (current().is_operator(")")) break;
    }
    argument(out, line);
  }
  expect_operator(")");
}

void Parser::argument(CallExpr& out, int line) {
  const auto ensure = [&](bool valid) {
    if (!valid) fail("invalid syntax for function call expression", line);
  };
  if (skip_operator("*")) {
    ensure(!out.star && !out.star_star);
    out.star = expression();
  } else if (skip_operator("**")) {
    ensure(!out.star_star);
    out.star_star = expression();
  } else if (current().type == Token::Type::kName && look().is_operator("=")) {
    ensure(!out.star_star);
    std::string name = next().text;
    next();
    for (const auto& known : out.kwargs) {
      if (known.first == name) fail(fmt::format("keyword argument repeated: {}", name), line);
    }
    out.kwargs.emplace_back(std::move(name), expression());
  } else {
    ensure(!out.star && !out.star_star && out.kwargs.empty());
    out.args.push_back(expression());
  }
}

// `| name(args)`, one after the other. `named`: the first stands without a bar.
Expr* Parser::filter(Expr* node, bool named) {
  while (named || current().is_operator("|")) {
    if (!named) next();
    named = false;
    const Token token = expect_name();
    Expr* made = make(Expr::Kind::kFilter, token.line);
    made->name = token.text;
    while (skip_operator(".")) made->name += "." + expect_name().text;
    made->items.push_back(node);
    if (current().is_operator("(")) arguments(made->call);
    node = sealed(made);
  }
  return node;
}

Expr* Parser::test(Expr* node) {
  const Token token = next();
  const bool negated = skip_name("not");
  Expr* made = make(Expr::Kind::kTest, token.line);
  made->name = expect_name().text;
  while (skip_operator(".")) made->name += "." + expect_name().text;
  made->items.push_back(node);
  const Token::Type type = current().type;
  const bool argument = (type == Token::Type::kName && !at_any({"else", "or", "and"})) ||
                        type == Token::Type::kString || type == Token::Type::kInteger ||
                        type == Token::Type::kFloat || current().is_operator("[") ||
                        current().is_operator("{");
  if (current().is_operator("(")) {
    arguments(made->call);
  } else if (argument) {
    if (current().is_name("is")) fail("You cannot chain multiple tests with is");
    made->call.args.push_back(postfix(primary()));
  }
  sealed(made);
  if (!negated) return made;
  Expr* inverse = make(Expr::Kind::kNot, token.line);
  inverse->items.push_back(made);
  return sealed(inverse);
}

}  // namespace keju::jinja
