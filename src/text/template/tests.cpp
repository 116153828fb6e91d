// SPDX-License-Identifier: MIT
#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

// What `is` asks.
namespace keju::jinja {

namespace {

template <Kind kind>
Value is_kind(Runtime&, const Value& self, Bound&) {
  return Value::boolean(self.is(kind));
}

template <int64_t rest>
Value parity(Runtime& rt, const Value& self, Bound&) {
  const Value found = arithmetic(rt, "%", self, Value::integer(2));
  return Value::boolean(equal(rt, found, Value::integer(rest)));
}

Value divisible_by(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(equal(rt, arithmetic(rt, "%", self, args[0]), Value::integer(0)));
}

Value is_defined(Runtime&, const Value& self, Bound&) { return Value::boolean(!self.undefined()); }

template <bool wanted>
Value is_truth(Runtime&, const Value& self, Bound&) {
  return Value::boolean(self.is(Kind::kBool) && self.as_bool() == wanted);
}

Value is_number(Runtime&, const Value& self, Bound&) { return Value::boolean(self.is_number()); }

Value is_case(Runtime& rt, const Value& self, const char* method) {
  const Value text = Value::string(to_text(rt, self));
  CallArgs none;
  return invoke(rt, *find_callable(string_methods(), method), text, none);
}
Value is_lower(Runtime& rt, const Value& self, Bound&) { return is_case(rt, self, "islower"); }
Value is_upper(Runtime& rt, const Value& self, Bound&) { return is_case(rt, self, "isupper"); }

Value is_sequence(Runtime&, const Value& self, Bound&) {
  return Value::boolean(sized(self) && !self.is(Kind::kView) && !self.is(Kind::kLoop));
}
Value is_iterable(Runtime&, const Value& self, Bound&) { return Value::boolean(iterable(self)); }
Value is_callable(Runtime&, const Value& self, Bound&) {
  const bool function = self.is(Kind::kFunction) && self.function().call;
  return Value::boolean(function || self.is(Kind::kLoop) || self.undefined());
}
Value is_escaped(Runtime&, const Value& self, Bound&) {
  return Value::boolean(self.is(Kind::kString) && self.str().markup);
}
Value is_same(Runtime&, const Value& self, Bound& args) {
  return Value::boolean(same(self, args[0]));
}
Value is_in(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(contains(rt, args[0], self));
}
Value is_filter(Runtime&, const Value& self, Bound&) {
  return Value::boolean(self.is(Kind::kString) && find_filter(self.bytes()));
}
Value is_test(Runtime&, const Value& self, Bound&) {
  return Value::boolean(self.is(Kind::kString) && find_test(self.bytes()));
}

template <bool wanted>
Value is_equal(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(equal(rt, self, args[0]) == wanted);
}

Value is_less(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(ordered(rt, "<", self, args[0]));
}
Value is_at_most(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(ordered(rt, "<=", self, args[0]));
}
Value is_more(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(ordered(rt, ">", self, args[0]));
}
Value is_at_least(Runtime& rt, const Value& self, Bound& args) {
  return Value::boolean(ordered(rt, ">=", self, args[0]));
}

constexpr Callable kTests[] = {
    {"!=", "/other", is_equal<false>, "ne"},
    {"<", "/other", is_less, "lt"},
    {"<=", "/other", is_at_most, "le"},
    {"==", "/other", is_equal<true>, "eq"},
    {">", "/other", is_more, "gt"},
    {">=", "/other", is_at_least, "ge"},
    {"boolean", "", is_kind<Kind::kBool>, "test_boolean"},
    {"callable", "", is_callable},
    {"defined", "", is_defined, "test_defined"},
    {"divisibleby", "num", divisible_by, "test_divisibleby"},
    {"eq", "/other", is_equal<true>},
    {"equalto", "/other", is_equal<true>, "eq"},
    {"escaped", "", is_escaped, "test_escaped"},
    {"even", "", parity<0>, "test_even"},
    {"false", "", is_truth<false>, "test_false"},
    {"filter", "", is_filter, "test_filter", 2},
    {"float", "", is_kind<Kind::kFloat>, "test_float"},
    {"ge", "/other", is_at_least},
    {"greaterthan", "/other", is_more, "gt"},
    {"gt", "/other", is_more},
    {"in", "seq", is_in, "test_in"},
    {"integer", "", is_kind<Kind::kInt>, "test_integer"},
    {"iterable", "", is_iterable, "test_iterable"},
    {"le", "/other", is_at_most},
    {"lessthan", "/other", is_less, "lt"},
    {"lower", "", is_lower, "test_lower"},
    {"lt", "/other", is_less},
    {"mapping", "", is_kind<Kind::kDict>, "test_mapping"},
    {"ne", "/other", is_equal<false>},
    {"none", "", is_kind<Kind::kNone>, "test_none"},
    {"number", "", is_number, "test_number"},
    {"odd", "", parity<1>, "test_odd"},
    {"sameas", "other", is_same, "test_sameas"},
    {"sequence", "", is_sequence, "test_sequence"},
    {"string", "", is_kind<Kind::kString>, "test_string"},
    {"test", "", is_test, "test_test", 2},
    {"true", "", is_truth<true>, "test_true"},
    {"undefined", "", is_kind<Kind::kUndefined>, "test_undefined"},
    {"upper", "", is_upper, "test_upper"},
};

}  // namespace

std::span<const Callable> tests() { return kTests; }

}  // namespace keju::jinja
