// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/template/ops.h"

namespace keju::jinja {

namespace {

[[noreturn]] void unsupported(std::string_view op, const Value& a, const Value& b) {
  raise("TypeError",
        fmt::format("unsupported operand type(s) for {}: '{}' and '{}'",
                    op == "**" ? "** or pow()" : op,
                    type_name(a),
                    type_name(b)));
}

[[noreturn]] void too_large() { raise("", "an integer does not fit 64 bits"); }

Value checked(bool overflow, int64_t result) {
  if (overflow) too_large();
  return Value::integer(result);
}

Value floor_divide(int64_t a, int64_t b) {
  if (b == 0) raise("ZeroDivisionError", "integer division or modulo by zero");
  if (b == -1)
    return checked(a == std::numeric_limits<int64_t>::min(),
                   a == std::numeric_limits<int64_t>::min() ? 0 : -a);
  const int64_t q = a / b;
  return Value::integer(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
}

Value modulo(int64_t a, int64_t b) {
  if (b == 0) raise("ZeroDivisionError", "integer modulo by zero");
  if (b == -1) return Value::integer(0);
  const int64_t r = a % b;
  return Value::integer(r != 0 && (r < 0) != (b < 0) ? r + b : r);
}

Value power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) too_large();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) too_large();
  }
  return Value::integer(result);
}

Value integer_arithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t r = 0;
  if (op == "+" && __builtin_add_overflow(a, b, &r)) too_large();
  if (op == "-" && __builtin_sub_overflow(a, b, &r)) too_large();
  if (op == "*" && __builtin_mul_overflow(a, b, &r)) too_large();
  if (op == "+" || op == "-" || op == "*") return Value::integer(r);
  if (op == "//") return floor_divide(a, b);
  if (op == "%") return modulo(a, b);
  if (b == 0) raise("ZeroDivisionError", "division by zero");  // "/"
  return Value::number(static_cast<double>(a) / static_cast<double>(b));
}

double float_modulo(double a, double b) {
  double r = std::fmod(a, b);
  if (r != 0) {
    if ((b < 0) != (r < 0)) r += b;
  } else {
    r = std::copysign(0.0, b);
  }
  return r;
}

double float_floor_divide(double a, double b) {
  const double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

Value float_power(double a, double b) {
  if (a == 0 && b < 0) {
    raise("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  }
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) {
    raise("", "complex numbers are not supported");
  }
  const double r = std::pow(a, b);
  if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) {
    raise("OverflowError", "(34, 'Numerical result out of range')");
  }
  return Value::number(r);
}

Value float_arithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value::number(a + b);
  if (op == "-") return Value::number(a - b);
  if (op == "*") return Value::number(a * b);
  if (op == "**") return float_power(a, b);
  if (b == 0) {
    raise("ZeroDivisionError",
          op == "/"    ? "float division by zero"
          : op == "//" ? "float floor division by zero"
                       : "float modulo");
  }
  if (op == "/") return Value::number(a / b);
  return Value::number(op == "//" ? float_floor_divide(a, b) : float_modulo(a, b));
}

Value number_arithmetic(std::string_view op, const Value& a, const Value& b) {
  if (!a.is_integer() || !b.is_integer()) return float_arithmetic(op, a.as_float(), b.as_float());
  if (op != "**") return integer_arithmetic(op, a.as_int(), b.as_int());
  return b.as_int() < 0 ? float_power(a.as_float(), b.as_float()) : power(a.as_int(), b.as_int());
}

bool is_sequence(const Value& value) {
  return value.is(Kind::kString) || value.is(Kind::kList) || value.is(Kind::kTuple);
}

// A part of a concatenation; escaped if the other side is Markup and this one is not.
void append_part(Builder& out, const Value& part, bool markup) {
  if (markup && !part.str().markup) return append_escaped(out, part.text());
  out.append(part.text());
}

Value concatenate(Runtime& rt, const Value& a, const Value& b) {
  const std::string left = type_name(a);
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    const bool markup = a.str().markup || b.str().markup;
    Builder out(rt);
    append_part(out, a, markup);
    append_part(out, b, markup);
    return out.value(markup);
  }
  if (a.kind() != b.kind()) {
    if (left == "Markup") unsupported("+", a, b);
    raise("TypeError",
          fmt::format("can only concatenate {} (not \"{}\") to {}", left, type_name(b), left));
  }
  std::vector<Value> items = a.sequence().items;
  items.insert(items.end(), b.sequence().items.begin(), b.sequence().items.end());
  return a.is(Kind::kList) ? make_list(rt, std::move(items)) : make_tuple(rt, std::move(items));
}

Value repeat(Runtime& rt, const Value& sequence, int64_t count) {
  count = std::max<int64_t>(count, 0);
  const bool text = sequence.is(Kind::kString);
  const size_t size = text ? sequence.bytes().size() : sequence.sequence().items.size();
  int64_t total = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(size), count, &total)) {
    Runtime::over("items", std::numeric_limits<int64_t>::max());
  }
  if (size == 0) count = 0;
  if (text) {
    rt.charge(static_cast<size_t>(total));
    rt.step(1 + count / 16);
    MarkedText out;
    out.bytes.reserve(static_cast<size_t>(total));
    for (int64_t i = 0; i < count; ++i) out.append(sequence.text());
    return Value::string(std::move(out), sequence.str().markup);
  }
  rt.step(total);
  std::vector<Value> items;
  items.reserve(static_cast<size_t>(total));
  for (int64_t i = 0; i < count; ++i) {
    const std::vector<Value>& from = sequence.sequence().items;
    items.insert(items.end(), from.begin(), from.end());
  }
  return sequence.is(Kind::kList) ? make_list(rt, std::move(items))
                                  : make_tuple(rt, std::move(items));
}

}  // namespace

Value arithmetic(Runtime& rt, std::string_view op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return number_arithmetic(op, a, b);
  if (op == "%" && a.is(Kind::kString)) return percent_format(rt, a, b);
  if (a.undefined()) fail_undefined(a);
  if (b.undefined()) fail_undefined(b);
  if (op == "+" && is_sequence(a)) return concatenate(rt, a, b);
  if (op == "*" && (is_sequence(a) || is_sequence(b))) {
    const Value& sequence = is_sequence(a) ? a : b;
    const Value& count = is_sequence(a) ? b : a;
    if (!count.is_integer()) {
      raise("TypeError",
            fmt::format("can't multiply sequence by non-int of type '{}'", type_name(count)));
    }
    return repeat(rt, sequence, count.as_int());
  }
  unsupported(op, a, b);
}

Value negative(const Value& value) {
  if (value.undefined()) fail_undefined(value);
  if (value.is(Kind::kFloat)) return Value::number(-value.as_float());
  if (!value.is_integer()) {
    raise("TypeError", fmt::format("bad operand type for unary -: '{}'", type_name(value)));
  }
  return checked(value.as_int() == std::numeric_limits<int64_t>::min(),
                 value.as_int() == std::numeric_limits<int64_t>::min() ? 0 : -value.as_int());
}

Value positive(const Value& value) {
  if (value.undefined()) fail_undefined(value);
  if (value.is(Kind::kFloat)) return value;
  if (!value.is_integer()) {
    raise("TypeError", fmt::format("bad operand type for unary +: '{}'", type_name(value)));
  }
  return Value::integer(value.as_int());
}

}  // namespace keju::jinja
