// SPDX-License-Identifier: MIT
#include "text/template/literals.h"

#include <cstdlib>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/runtime.h"
#include "text/template/strings.h"

namespace keju::jinja {

namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// End of `(\d+_)*\d+` at `at`, or `at` itself.
size_t digits_end(std::string_view text, size_t at) {
  size_t end = at;
  while (at < text.size()) {
    while (at < text.size() && digit(text[at])) end = ++at;
    if (at == end && at + 1 < text.size() && text[at] == '_' && digit(text[at + 1]) && at > 0 &&
        digit(text[at - 1])) {
      ++at;
    } else {
      break;
    }
  }
  return end;
}

// End of an exponent at `at`, or `at` itself.
size_t exponent_end(std::string_view text, size_t at) {
  if (at >= text.size() || (text[at] | 0x20) != 'e') return at;
  size_t digits = at + 1;
  if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
  const size_t end = digits_end(text, digits);
  return end == digits ? at : end;
}

bool read_float(std::string_view text, size_t at, NumberLiteral& out) {
  const size_t whole = digits_end(text, at);
  if (whole == at) return false;
  size_t end = whole;
  if (whole < text.size() && text[whole] == '.') {
    const size_t fraction = digits_end(text, whole + 1);
    if (fraction > whole + 1) end = fraction;
  }
  const size_t exponent = exponent_end(text, end);
  if (exponent == whole) return false;
  std::string plain;
  for (const char c : text.substr(at, exponent - at)) {
    if (c != '_') plain += c;
  }
  out = {true, 0, std::strtod(plain.c_str(), nullptr), exponent - at};
  return true;
}

bool read_integer(std::string_view text, size_t at, NumberLiteral& out) {
  int64_t base = 10;
  size_t begin = at;
  if (text[at] == '0' && at + 1 < text.size()) {
    const char mark = static_cast<char>(text[at + 1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) begin = at + 2;
  }
  const bool zeros = base == 10 && text[at] == '0';  // 0, 00, 0_0: no other digits may follow
  int64_t value = 0;
  bool overflow = false;
  size_t end = begin;
  for (size_t i = begin; i < text.size();) {
    const size_t place = text[i] == '_' && (i > begin || base != 10) ? i + 1 : i;
    const int d = place < text.size() ? hex_value(text[place]) : -1;
    if (d < 0 || d >= base || (zeros && d != 0)) break;
    overflow = overflow || __builtin_mul_overflow(value, base, &value) ||
               __builtin_add_overflow(value, int64_t{d}, &value);
    end = i = place + 1;
  }
  if (end == begin) {  // "0x" without digits: the zero alone
    out = {false, 0, 0, 1};
    return true;
  }
  if (overflow) raise("TemplateSyntaxError", "an integer does not fit 64 bits");
  out = {false, value, 0, end - at};
  return true;
}

// The escape at text[at] (after the backslash); `at` moves past it.
class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}

  std::string run() {
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != '\\' || at_ >= text_.size()) {
        out += c;
      } else {
        escape(out);
      }
    }
    return out;
  }

 private:
  void escape(std::string& out) {
    static constexpr std::string_view kFrom = "\\'\"abfnrtv";
    static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    const char c = text_[at_++];
    const size_t simple = kFrom.find(c);
    if (simple != std::string_view::npos) {
      out += kTo[simple];
    } else if (c == '\n') {  // the line goes on
    } else if (c >= '0' && c <= '7') {
      octal(out, c);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      hex(out, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      fail("\\N{...} escapes are not supported");
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      --at_;
      beyond_ascii(out);
    } else {
      out += '\\';
      out += c;
    }
  }

  // The reference writes characters beyond ASCII as escapes before it undoes escapes: the backslash
  // in front escapes the escape's own, and the rest of the escape stays as text.
  void beyond_ascii(std::string& out) {
    const uint32_t code = next_code_point(text_, at_);
    out += code < 0x100     ? fmt::format("\\x{:02x}", code)
           : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                            : fmt::format("\\U{:08x}", code);
  }

  void octal(std::string& out, char first) {
    char32_t code = static_cast<char32_t>(first - '0');
    for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
      code = code * 8 + static_cast<char32_t>(text_[at_++] - '0');
    }
    append_utf8(out, code);
  }

  void hex(std::string& out, int width) {
    uint64_t code = 0;
    for (int i = 0; i < width; ++i) {
      const int digit = at_ < text_.size() ? hex_value(text_[at_]) : -1;
      if (digit < 0) {
        fail(width == 2   ? "truncated \\xXX escape"
             : width == 4 ? "truncated \\uXXXX escape"
                          : "truncated \\UXXXXXXXX escape");
      }
      code = code * 16 + static_cast<uint64_t>(digit);
      ++at_;
    }
    if (code > 0x10FFFF) fail("illegal Unicode character");
    if (code >= 0xD800 && code <= 0xDFFF) fail("surrogates not allowed");
    append_utf8(out, static_cast<char32_t>(code));
  }

  [[noreturn]] static void fail(const char* what) { raise("TemplateSyntaxError", what); }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

bool read_number(std::string_view text, size_t at, bool after_dot, NumberLiteral& out) {
  if (at >= text.size() || !digit(text[at])) return false;
  return (!after_dot && read_float(text, at, out)) || read_integer(text, at, out);
}

std::string unescape(std::string_view text) { return Unescaper(text).run(); }

bool is_word(char32_t c) {
  if (c < 128)
    return c == '_' || digit(static_cast<char>(c)) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  return is_alnum(c);
}

}  // namespace keju::jinja
