// SPDX-License-Identifier: MIT
#include "text/template/lexer.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/literals.h"
#include "text/template/runtime.h"

namespace keju::jinja {

namespace {

std::string normalize(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

// Longest first.
constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

class Lexer {
 public:
  Lexer(std::string source, bool trim) : source_(std::move(source)), trim_(trim) {}

  std::vector<Token> run() {
    try {
      while (at_ < source_.size()) text();
      add(Token::Type::kEnd, "");
    } catch (const Fault& fault) {
      add(Token::Type::kError, fault.what());
    }
    return std::move(tokens_);
  }

 private:
  using Type = Token::Type;

  [[noreturn]] static void fail(std::string what) { raise("TemplateSyntaxError", std::move(what)); }

  bool looking_at(std::string_view text, size_t at) const {
    return std::string_view(source_).substr(std::min(at, source_.size())).starts_with(text);
  }
  bool looking_at(std::string_view text) const { return looking_at(text, at_); }
  char peek(size_t at) const { return at < source_.size() ? source_[at] : '\0'; }

  size_t skip_space(size_t at) const {
    while (at < source_.size()) {
      size_t next = at;
      if (!is_python_space(next_code_point(source_, next))) break;
      at = next;
    }
    return at;
  }

  Token& add(Type type, std::string text) {
    Token& token = tokens_.emplace_back();
    token.type = type;
    token.text = std::move(text);
    token.line = line_;
    return token;
  }

  void advance(size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to),
                                         '\n'));
    if (to > at_) line_start_ = source_[to - 1] == '\n';
    at_ = to;
  }

  // Adds source_[at_, end) as data, with white space taken off as the tag that follows asks.
  void data(size_t end, char sign, bool variable) {
    std::string_view text = std::string_view(source_).substr(at_, end - at_);
    if (sign == '-') {
      text = python_rstrip(text);
    } else if (sign != '+' && trim_ && !variable) {
      const size_t newline = text.rfind('\n');
      const size_t start = newline == std::string_view::npos ? 0 : newline + 1;
      if ((start > 0 || line_start_) && python_strip(text.substr(start)).empty()) {
        text = text.substr(0, start);
      }
    }
    if (!text.empty()) add(Type::kData, std::string(text));
  }

  // Length of `{%- raw %}` at `at`, or 0. `word` is raw or endraw.
  size_t raw_tag(size_t at, std::string_view word, size_t* end) const {
    if (!looking_at("{%", at)) return 0;
    size_t next = at + 2;
    if (peek(next) == '-' || peek(next) == '+') ++next;
    next = skip_space(next);
    if (!looking_at(word, next)) return 0;
    next = skip_space(next + word.size());
    if (looking_at("-%}", next)) {
      *end = skip_space(next + 3);
    } else if (word == "endraw" && looking_at("+%}", next)) {
      *end = next + 3;
    } else if (looking_at("%}", next)) {
      *end = next + 2;
      if (word == "endraw" && trim_ && peek(*end) == '\n') ++*end;
    } else {
      return 0;
    }
    return *end - at;
  }

  static char sign_of(char c) { return c == '-' || c == '+' ? c : '\0'; }

  // From text up to and through the next tag.
  void text() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = std::min(source_.find('{', tag), source_.size());
      const char next = peek(tag + 1);
      if (tag >= source_.size() || next == '%' || next == '{' || next == '#') break;
    }
    if (tag >= source_.size()) {
      add(Type::kData, source_.substr(at_));
      return advance(source_.size());
    }
    const char kind = source_[tag + 1];
    const char sign = sign_of(peek(tag + 2));
    data(tag, sign, kind == '{');
    size_t raw_end = 0;
    if (raw_tag(tag, "raw", &raw_end)) {
      advance(raw_end);
      return raw();
    }
    advance(tag + 2 + (sign ? 1 : 0));
    if (kind == '#') return comment();
    add(kind == '{' ? Type::kVariableBegin : Type::kBlockBegin, "");
    code(kind == '%');
  }

  void raw() {
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 2)) {
      size_t end = 0;
      if (!raw_tag(tag, "endraw", &end)) continue;
      data(tag, sign_of(peek(tag + 2)), false);
      return advance(end);
    }
    fail("Missing end of raw directive");
  }

  void comment() {
    size_t close = source_.find("#}", at_);
    if (close == std::string::npos) fail("Missing end of comment tag");
    const char before = close > at_ ? source_[close - 1] : '\0';
    close += 2;
    if (before == '-') {
      close = skip_space(close);
    } else if (before != '+' && trim_ && peek(close) == '\n') {
      ++close;
    }
    advance(close);
  }

  // Length of the mark that ends this tag here, with the white space that it takes; 0 if none.
  size_t closing(bool block) const {
    const std::string_view end = block ? "%}" : "}}";
    if (peek(at_) == '-' && looking_at(end, at_ + 1)) return skip_space(at_ + 3) - at_;
    if (block && peek(at_) == '+' && looking_at(end, at_ + 1)) return 3;
    if (!looking_at(end)) return 0;
    return block && trim_ && peek(at_ + 2) == '\n' ? 3 : 2;
  }

  void code(bool block) {
    std::string open;  // the closing brackets that are due
    for (at_ = skip_space_counted(); at_ < source_.size(); at_ = skip_space_counted()) {
      if (open.empty()) {
        if (const size_t size = closing(block)) {
          add(block ? Type::kBlockEnd : Type::kVariableEnd, "");
          return advance(at_ + size);
        }
      }
      if (number() || name() || string()) continue;
      operation(open);
    }
  }

  size_t skip_space_counted() {
    advance(skip_space(at_));
    return at_;
  }

  bool number() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    NumberLiteral literal;
    if (!read_number(source_, at_, after_dot, literal)) return false;
    Token& token =
        add(literal.is_float ? Type::kFloat : Type::kInteger, source_.substr(at_, literal.size));
    token.integer = literal.integer;
    token.number = literal.number;
    advance(at_ + literal.size);
    return true;
  }

  bool name() {
    size_t end = at_;
    while (end < source_.size()) {
      size_t next = end;
      if (!is_word(next_code_point(source_, next))) break;
      end = next;
    }
    if (end == at_) return false;
    add(Type::kName, source_.substr(at_, end - at_));
    advance(end);
    return true;
  }

  bool string() {
    const char quote = peek(at_);
    if (quote != '\'' && quote != '"') return false;
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) return false;
    add(Type::kString, unescape(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
    return true;
  }

  void operation(std::string& open) {
    for (const std::string_view op : kOperators) {
      if (!looking_at(op)) continue;
      balance(op, open);
      add(Type::kOperator, std::string(op));
      return advance(at_ + op.size());
    }
    size_t end = at_;
    next_code_point(source_, end);
    const std::string_view before = std::string_view(source_).substr(0, at_);
    const std::string c = source_.substr(at_, end - at_);
    fail(fmt::format("unexpected char {} at {}",
                     c == "'"    ? "\"'\""
                     : c == "\\" ? "'\\\\'"
                                 : "'" + c + "'",
                     count_code_points(before)));
  }

  static void balance(std::string_view op, std::string& open) {
    if (op == "{" || op == "[" || op == "(") {
      open += op == "{" ? '}' : op == "[" ? ']' : ')';
    } else if (op == "}" || op == "]" || op == ")") {
      if (open.empty()) fail(fmt::format("unexpected '{}'", op));
      const char due = open.back();
      open.pop_back();
      if (op[0] != due) fail(fmt::format("unexpected '{}', expected '{}'", op, due));
    }
  }

  std::string source_;
  bool trim_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_start_ = true;  // what was read last ended a line
  std::vector<Token> tokens_;
};

}  // namespace

std::string describe(const Token& token) {
  switch (token.type) {
    case Token::Type::kName:
    case Token::Type::kOperator:
      return token.text;
    case Token::Type::kData:
      return "template data / text";
    case Token::Type::kVariableBegin:
      return "begin of print statement";
    case Token::Type::kVariableEnd:
      return "end of print statement";
    case Token::Type::kBlockBegin:
      return "begin of statement block";
    case Token::Type::kBlockEnd:
      return "end of statement block";
    case Token::Type::kString:
      return "string";
    case Token::Type::kInteger:
      return "integer";
    case Token::Type::kFloat:
      return "float";
    default:
      return "end of template";
  }
}

std::vector<Token> tokenize(std::string_view source, bool trim) {
  return Lexer(normalize(source), trim).run();
}

}  // namespace keju::jinja
