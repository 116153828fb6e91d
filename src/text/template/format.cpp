// SPDX-License-Identifier: MIT
#include "text/template/format.h"

#include <cmath>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/template/ops.h"

namespace keju::jinja {

std::string format_double(Runtime& rt, double value, char type, int64_t precision) {
  if (precision > 100000) Runtime::over("digits", 100000);
  rt.charge(static_cast<size_t>(precision) + 320);
  const char pattern[] = {'%', '.', '*', type, '\0'};
  std::string out(static_cast<size_t>(precision) + 330, '\0');
  const int size =
      std::snprintf(out.data(), out.size(), pattern, static_cast<int>(precision), value);
  out.resize(static_cast<size_t>(size));
  return out[0] == '-' && std::isnan(value) ? out.substr(1) : out;
}

namespace {

std::string digits_of(uint64_t value, unsigned base, bool upper) {
  std::string out;
  do {
    const unsigned digit = static_cast<unsigned>(value % base);
    out.insert(out.begin(),
               static_cast<char>(digit < 10 ? '0' + digit
                                 : upper    ? 'A' + digit - 10
                                            : 'a' + digit - 10));
    value /= base;
  } while (value != 0);
  return out;
}

uint64_t magnitude(int64_t value) {
  return value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
}

unsigned base_of(char type) {
  switch (type) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
    default:
      return 10;
  }
}

}  // namespace

std::string format_integer(int64_t value, char type, bool alternate) {
  std::string digits = digits_of(magnitude(value), base_of(type), type == 'X');
  if (alternate && base_of(type) != 10) digits = std::string("0") + type + digits;
  if (value < 0) digits.insert(digits.begin(), '-');
  return digits;
}

namespace {

class SpecReader {
 public:
  explicit SpecReader(std::string_view text) : text_(to_u32(text)) {}

  FormatSpec read() {
    FormatSpec spec;
    const auto is_align = [](char32_t c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
    if (text_.size() > 1 && is_align(text_[1])) {
      spec.fill = to_utf8(text_.substr(0, 1));
      spec.align = static_cast<char>(text_[1]);
      at_ = 2;
    } else if (!text_.empty() && is_align(text_[0])) {
      spec.align = static_cast<char>(text_[at_++]);
    }
    if (peek() == '+' || peek() == '-' || peek() == ' ') spec.sign = take();
    if (peek() == '#') spec.alternate = (++at_, true);
    if (peek() == '0') {
      spec.zero = (++at_, true);
      if (spec.align == 0) spec.fill = "0";
    }
    spec.width = number().value_or(0);
    if (peek() == ',' || peek() == '_') spec.group = take();
    if (peek() == '.') {
      ++at_;
      const std::optional<int64_t> precision = number();
      if (!precision) raise("ValueError", "Format specifier missing precision");
      spec.precision = *precision;
    }
    if (at_ < text_.size()) spec.type = take();
    if (at_ < text_.size()) raise("ValueError", "Invalid format specifier");
    return spec;
  }

 private:
  char32_t peek() const { return at_ < text_.size() ? text_[at_] : 0; }
  char take() {
    const char32_t c = text_[at_++];
    return c < 128 ? static_cast<char>(c) : '?';
  }
  std::optional<int64_t> number() {
    if (peek() < '0' || peek() > '9') return std::nullopt;
    int64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      if (value > 100'000'000) raise("ValueError", "Too many decimal digits in format string");
      value = value * 10 + static_cast<int64_t>(text_[at_++] - '0');
    }
    return value;
  }

  std::u32string text_;
  size_t at_ = 0;
};

std::string grouped(const std::string& digits, char group) {
  const size_t end = digits.find_first_not_of("0123456789");
  const size_t whole = end == std::string::npos ? digits.size() : end;
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i && (whole - i) % 3 == 0) out += group;
    out += digits[i];
  }
  return out + digits.substr(whole);
}

[[noreturn]] void unknown_code(char type, const Value& value) {
  raise("ValueError",
        fmt::format("Unknown format code '{}' for object of type '{}'", type, type_name(value)));
}

std::string float_digits(Runtime& rt, double value, const FormatSpec& spec) {
  if (spec.type == '%') {
    return format_double(rt, value * 100, 'f', spec.precision < 0 ? 6 : spec.precision) + "%";
  }
  if (spec.type == 0) {
    if (spec.precision < 0) return python_float(value);
    std::string out = format_double(rt, value, 'g', std::max<int64_t>(spec.precision, 1));
    if (std::isfinite(value) && out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
  }
  const char type = spec.type == 'n' ? 'g' : spec.type;
  return format_double(rt, value, type, spec.precision < 0 ? 6 : spec.precision);
}

std::string number_digits(Runtime& rt, const Value& value, const FormatSpec& spec) {
  static constexpr std::string_view kIntegers = "bdoxXn";
  static constexpr std::string_view kFloats = "eEfFgG%";
  const bool real = value.is(Kind::kFloat) || kFloats.find(spec.type) != std::string_view::npos;
  if (real && spec.type != 0 && spec.type != 'n' &&
      kFloats.find(spec.type) == std::string_view::npos) {
    unknown_code(spec.type, value);
  }
  if (real) return float_digits(rt, value.as_float(), spec);
  if (spec.precision >= 0) {
    raise("ValueError", "Precision not allowed in integer format specifier");
  }
  if (spec.type == 'c') {
    std::string out;
    append_utf8(out, static_cast<char32_t>(value.as_int()));
    return out;
  }
  if (spec.type != 0 && kIntegers.find(spec.type) == std::string_view::npos) {
    unknown_code(spec.type, value);
  }
  return format_integer(value.as_int(), spec.type == 0 ? 'd' : spec.type, spec.alternate);
}

void append_number(Builder& out, const Value& value, const FormatSpec& spec) {
  std::string digits = number_digits(out.rt(), value, spec);
  std::string sign;
  if (digits[0] == '-') {
    sign = "-";
    digits.erase(0, 1);
  } else if (spec.sign != '-') {
    sign = std::string(1, spec.sign);
  }
  if (spec.group) digits = grouped(digits, spec.group);
  const char align = spec.align ? spec.align : spec.zero ? '=' : '>';
  if (align != '=') return append_padded(out, MarkedText(sign + digits), spec, align);
  FormatSpec rest = spec;
  rest.width -= static_cast<int64_t>(sign.size());
  out.append(sign);
  append_padded(out, MarkedText(digits), rest, '>');
}

void append_formatted_text(Builder& out, const Value& value, const FormatSpec& spec) {
  if (spec.type != 0 && spec.type != 's') unknown_code(spec.type, value);
  if (spec.sign != '-') raise("ValueError", "Sign not allowed in string format specifier");
  if (spec.align == '=') {
    raise("ValueError", "'=' alignment not allowed in string format specifier");
  }
  const Value end = spec.precision < 0 ? Value() : Value::integer(spec.precision);
  const Value cut = slice(out.rt(), value, Value(), end, Value());
  append_padded(out, cut.text(), spec, spec.align ? spec.align : '<');
}

}  // namespace

void append_padded(Builder& out, const MarkedText& body, const FormatSpec& spec, char align) {
  const int64_t size = static_cast<int64_t>(count_code_points(body.bytes));
  const int64_t gap = std::max<int64_t>(spec.width - size, 0);
  const int64_t left = align == '>' ? gap : align == '^' ? gap / 2 : 0;
  out.repeat(spec.fill, left);
  out.append(body);
  out.repeat(spec.fill, gap - left);
}

void append_formatted(Builder& out, const Value& value, std::string_view spec) {
  if (spec.empty()) return append_str(out, value);
  if (!value.is_number() && !value.is(Kind::kString)) {
    raise("TypeError",
          fmt::format("unsupported format string passed to {}.__format__", type_name(value)));
  }
  const FormatSpec parsed = SpecReader(spec).read();
  if (value.is(Kind::kString)) return append_formatted_text(out, value, parsed);
  append_number(out, value, parsed);
}

}  // namespace keju::jinja
