// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/callables.h"
#include "text/template/format.h"
#include "text/template/ops.h"

// Filters that make single values, numbers above all.
namespace keju::jinja {

namespace {

constexpr double kIntLimit = 9223372036854775808.0;  // 2^63

Value whole(double value) {
  if (!(value >= -kIntLimit && value < kIntLimit)) raise("", "an integer does not fit 64 bits");
  return Value::integer(static_cast<int64_t>(value));
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// Digits with single underscores between them; false if malformed.
bool strip_underscores(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() && digit_value(text[i - 1]) < 36 &&
                         digit_value(text[i + 1]) < 36;
    if (!between) return false;
  }
  return true;
}

int64_t prefix_base(std::string_view digits) {
  if (digits.size() < 2 || digits[0] != '0') return 0;
  switch (digits[1] | 0x20) {
    case 'x':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
    default:
      return 0;
  }
}

}  // namespace

Value parse_integer(const Value& value, int64_t base, bool* valid) {
  *valid = false;
  std::string_view text = python_strip(value.bytes());
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  const int64_t prefixed = prefix_base(text);
  if (prefixed != 0 && (base == 0 || base == prefixed)) {
    base = prefixed;
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  } else if (base == 0) {
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != text.npos)
      return Value();
    base = 10;
  }
  std::string digits;
  if (base < 2 || base > 36 || text.empty() || !strip_underscores(text, digits)) return Value();
  int64_t result = 0;
  bool overflow = false;
  for (const char c : digits) {
    const int digit = digit_value(c);
    if (digit >= base) return Value();
    overflow = overflow || __builtin_mul_overflow(result, base, &result) ||
               __builtin_sub_overflow(result, int64_t{digit}, &result);
  }
  if (overflow || (!minus && result == std::numeric_limits<int64_t>::min())) {
    raise("", "an integer does not fit 64 bits");
  }
  *valid = true;
  return Value::integer(minus ? result : -result);
}

Value parse_number(const Value& value, bool* valid) {
  *valid = false;
  if (value.is_number()) {
    *valid = true;
    return Value::number(value.as_float());
  }
  if (value.undefined()) fail_undefined(value);
  if (!value.is(Kind::kString)) return Value();
  std::string text;
  const std::string_view stripped = python_strip(value.bytes());
  for (const char c : stripped) {
    const bool known = (c >= '0' && c <= '9') ||
                       std::string_view("+-._eEiInNfFtTyYaA").find(c) != std::string_view::npos;
    if (!known) return Value();
  }
  if (stripped.empty() || !strip_underscores(stripped, text)) return Value();
  const size_t start = text[0] == '+' || text[0] == '-' ? 1 : 0;
  if (start < text.size() && (text[start] == '+' || text[start] == '-')) return Value();
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size()) return Value();
  *valid = true;
  return Value::number(number);
}

namespace {

Value to_int(Runtime&, const Value& self, Bound& args) {
  const Value fallback = args[0].missing() ? Value::integer(0) : args[0];
  if (self.undefined()) fail_undefined(self);
  bool valid = false;
  if (self.is_integer()) return Value::integer(self.as_int());
  if (self.is(Kind::kFloat)) {
    const double value = self.as_float();
    if (std::isnan(value)) return fallback;
    if (std::isinf(value)) {
      raise("OverflowError", "cannot convert float infinity to integer");
    }
    return whole(std::trunc(value));
  }
  if (self.is(Kind::kString)) {
    const int64_t base = integer_argument(args[1], 10);
    const Value parsed = parse_integer(self, base, &valid);
    if (valid) return parsed;
  }
  const Value number = parse_number(self, &valid);
  if (!valid || !std::isfinite(number.as_float())) return fallback;
  return whole(std::trunc(number.as_float()));
}

Value to_float(Runtime&, const Value& self, Bound& args) {
  bool valid = false;
  const Value number = parse_number(self, &valid);
  if (valid) return number;
  return args[0].missing() ? Value::number(0) : args[0];
}

Value absolute(Runtime&, const Value& self, Bound&) {
  if (self.is(Kind::kFloat)) return Value::number(std::fabs(self.as_float()));
  if (!self.is_integer()) {
    raise("TypeError", fmt::format("bad operand type for abs(): '{}'", type_name(self)));
  }
  return self.as_int() < 0 ? negative(self) : Value::integer(self.as_int());
}

// Half to even, as Python rounds: exactly on the decimal digits of the binary value.
Value round_float(Runtime& rt, double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 322) return Value::number(value);
  if (digits < -308) return Value::number(std::copysign(0.0, value));
  if (digits >= 0) {
    return Value::number(std::strtod(format_double(rt, value, 'f', digits).c_str(), nullptr));
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  const double scaled = value / scale;
  double rounded = std::round(scaled);
  if (std::fabs(scaled - rounded) == 0.5) rounded = 2.0 * std::round(scaled / 2.0);
  return Value::number(rounded * scale);
}

Value round_integer(int64_t value, int64_t digits) {
  if (digits >= 0) return Value::integer(value);
  if (digits < -18) return Value::integer(0);
  int64_t scale = 1;
  for (int64_t i = 0; i < -digits; ++i) scale *= 10;
  const int64_t rest = value % scale;
  int64_t base = value - rest;
  const int64_t doubled = std::abs(rest) > scale - std::abs(rest)    ? 1
                          : std::abs(rest) == scale - std::abs(rest) ? 0
                                                                     : -1;
  const bool odd = (base / scale) % 2 != 0;
  if (doubled > 0 || (doubled == 0 && odd)) {
    if (__builtin_add_overflow(base, value < 0 ? -scale : scale, &base)) {
      raise("", "an integer does not fit 64 bits");
    }
  }
  return Value::integer(base);
}

Value round_number(Runtime& rt, const Value& self, Bound& args) {
  const std::string method = args[1].is(Kind::kString) ? args[1].bytes()
                             : args[1].missing()       ? "common"
                                                       : "";
  if (method != "common" && method != "ceil" && method != "floor") {
    raise("FilterArgumentError", "method must be common, ceil or floor");
  }
  if (method == "common" && !self.is_number()) {
    raise("TypeError", fmt::format("type {} doesn't define __round__ method", type_name(self)));
  }
  if (method == "common" && args[0].is(Kind::kNone)) {
    if (self.is_integer()) return Value::integer(self.as_int());
    return whole(round_float(rt, self.as_float(), 0).as_float());
  }
  const int64_t digits = integer_argument(args[0], 0);
  if (method == "common") {
    return self.is_integer() ? round_integer(self.as_int(), digits)
                             : round_float(rt, self.as_float(), digits);
  }
  const Value scale = arithmetic(rt, "**", Value::integer(10), Value::integer(digits));
  const Value scaled = arithmetic(rt, "*", self, scale);
  if (!scaled.is_number()) {
    raise("TypeError", fmt::format("must be real number, not {}", type_name(scaled)));
  }
  const double exact = scaled.as_float();
  const Value edge =
      scaled.is_integer() ? scaled : whole(method == "ceil" ? std::ceil(exact) : std::floor(exact));
  return arithmetic(rt, "/", edge, scale);
}

Value string(Runtime& rt, const Value& self, Bound&) {
  return self.is(Kind::kString) ? self : Value::string(to_text(rt, self));
}

Value fallback(Runtime& rt, const Value& self, Bound& args) {
  const bool by_truth = flag(rt, args[1], false);
  if (!self.undefined() && !(by_truth && !truth(rt, self))) return self;
  return args[0].missing() ? Value::string("") : args[0];
}

Value file_size(Runtime& rt, const Value& self, Bound& args) {
  bool valid = false;
  const Value number = parse_number(self, &valid);
  if (!valid) raise("ValueError", "could not convert to float: " + show(rt, self));
  const bool binary = flag(rt, args[0], false);
  const double base = binary ? 1024 : 1000;
  const double size = number.as_float();
  if (size == 1) return Value::string("1 Byte");
  if (size < base) return Value::string(fmt::format("{} Bytes", std::trunc(size)));
  double unit = base;
  size_t i = 0;
  constexpr std::string_view kPrefixes = "kMGTPEZY";
  while (i + 1 < kPrefixes.size() && size >= unit * base) {
    unit *= base;
    ++i;
  }
  const char prefix = binary && i == 0 ? 'K' : kPrefixes[i];
  return Value::string(format_double(rt, size / unit, 'f', 1) + " " + prefix +
                       (binary ? "iB" : "B"));
}

constexpr Callable kFilters[] = {
    {"abs", "", absolute, "abs"},
    {"d", "default_value?,boolean?", fallback, "do_default"},
    {"default", "default_value?,boolean?", fallback, "do_default"},
    {"filesizeformat", "binary?", file_size, "do_filesizeformat"},
    {"float", "default?", to_float, "do_float"},
    {"int", "default?,base?", to_int, "do_int"},
    {"round", "precision?,method?", round_number, "do_round"},
    {"string", "", string, "soft_str"},
};

}  // namespace

std::span<const Callable> value_filters() { return kFilters; }

}  // namespace keju::jinja
