// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "text/template/ops.h"

namespace keju::jinja {

std::string type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.str().markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kView:
      return value.view().type;
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return value.iterator().type;
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return value.function().type;
    case Kind::kLoop:
      return "LoopContext";
  }
  return "";
}

std::string object_type_repr(const Value& value) {
  const std::string name = type_name(value);
  switch (value.kind()) {
    case Kind::kNone:
      return "None";
    case Kind::kNamespace:
      return "jinja2.utils.Namespace object";
    case Kind::kLoop:
      return "jinja2.runtime.LoopContext object";
    case Kind::kFunction:
      return name == "Macro" ? "jinja2.runtime.Macro object" : name + " object";
    case Kind::kString:
      return name == "Markup" ? "markupsafe.Markup object" : "str object";
    default:
      return name + " object";
  }
}

void fail_undefined(const Value& value) { raise(value.hint().error, value.hint().message); }

bool truth(Runtime& rt, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      if (rt.strict()) fail_undefined(value);
      return false;
    case Kind::kMissing:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kFloat:
      return value.as_float() != 0;
    default:
      return !sized(value) || length(rt, value) != 0;
  }
}

bool same(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
      return a.as_int() == b.as_int();
    case Kind::kFloat:
      return a.as_float() == b.as_float();
    case Kind::kString:
      return a.object() == b.object() || a.bytes() == b.bytes();
    default:
      return a.object() == b.object();
  }
}

namespace {

// -1, 0 or 1; 2 if one of them is not a number.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer()) {
    return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
  }
  const double x = a.as_float();
  const double y = b.as_float();
  if (std::isnan(x) || std::isnan(y)) return 2;
  return x < y ? -1 : x > y ? 1 : 0;
}

bool equal_items(Runtime& rt, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i]) && !equal(rt, a[i], b[i])) return false;
  }
  return true;
}

bool equal_dicts(Runtime& rt, const DictObject& a, const DictObject& b) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = b.find(rt, key);
    if (!other || !equal(rt, value, *other)) return false;
  }
  return true;
}

bool equal_ranges(const RangeObject& a, const RangeObject& b) {
  if (a.length != b.length) return false;
  return a.length == 0 || (a.start == b.start && (a.length == 1 || a.step == b.step));
}

}  // namespace

bool equal(Runtime& rt, const Value& a, const Value& b) {
  rt.step();
  for (const Value* side : {&a, &b}) {
    if (rt.strict() && side->undefined()) fail_undefined(*side);
  }
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  Nest nest(rt);
  switch (a.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      if (a.bytes().size() != b.bytes().size()) return false;
      rt.scan(a.bytes().size());
      return a.bytes() == b.bytes();
    case Kind::kList:
    case Kind::kTuple:
      return equal_items(rt, a.sequence().items, b.sequence().items);
    case Kind::kDict:
      return equal_dicts(rt, a.dict(), b.dict());
    case Kind::kRange:
      return equal_ranges(a.range(), b.range());
    case Kind::kView:
      if (std::strcmp(a.view().type, "dict_values") == 0) return a.object() == b.object();
      return equal_items(rt, a.view().items, b.view().items);
    default:
      return a.object() == b.object();
  }
}

namespace {

bool holds(std::string_view op, int order) {
  if (order == 2) return false;
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return order >= 0;
}

}  // namespace

bool ordered(Runtime& rt, std::string_view op, const Value& a, const Value& b) {
  rt.step();
  if (a.undefined()) fail_undefined(a);
  if (b.undefined()) fail_undefined(b);
  if (a.is_number() && b.is_number()) return holds(op, compare_numbers(a, b));
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    rt.scan(std::min(a.bytes().size(), b.bytes().size()));
    const int order = a.bytes().compare(b.bytes());  // UTF-8 sorts as its code points do
    return holds(op, order < 0 ? -1 : order > 0 ? 1 : 0);
  }
  if (a.kind() == b.kind() && (a.is(Kind::kList) || a.is(Kind::kTuple))) {
    Nest nest(rt);
    const std::vector<Value>& x = a.sequence().items;
    const std::vector<Value>& y = b.sequence().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!same(x[i], y[i]) && !equal(rt, x[i], y[i])) return ordered(rt, op, x[i], y[i]);
    }
    return holds(op, x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0);
  }
  raise(
      "TypeError",
      fmt::format(
          "'{}' not supported between instances of '{}' and '{}'", op, type_name(a), type_name(b)));
}

bool contains(Runtime& rt, const Value& container, const Value& item) {
  if (container.is(Kind::kString)) {
    if (!item.is(Kind::kString)) {
      raise("TypeError",
            fmt::format("'in <string>' requires string as left operand, not {}", type_name(item)));
    }
    const std::string& text = container.bytes();
    rt.scan(text.size());
    return item.bytes().empty() ||
           memmem(text.data(), text.size(), item.bytes().data(), item.bytes().size()) != nullptr;
  }
  if (container.is(Kind::kDict)) return container.dict().find(rt, item) != nullptr;
  if (!iterable(container)) {
    raise("TypeError", fmt::format("argument of type '{}' is not iterable", type_name(container)));
  }
  const Next next = iterate(rt, container);
  for (Value candidate; next(candidate);) {
    rt.step();
    if (same(candidate, item) || equal(rt, candidate, item)) return true;
  }
  return false;
}

size_t hash_text(std::string_view text) { return std::hash<std::string_view>{}(text); }

bool hashable(const Value& value) {
  switch (value.kind()) {
    case Kind::kList:
    case Kind::kDict:
      return false;
    case Kind::kView:
      return std::strcmp(value.view().type, "dict_values") == 0;
    case Kind::kTuple:
      return std::all_of(value.sequence().items.begin(), value.sequence().items.end(), hashable);
    default:
      return true;
  }
}

size_t hash_value(Runtime& rt, const Value& value) {
  rt.step();
  switch (value.kind()) {
    case Kind::kNone:
      return 0x9e3779b9;
    case Kind::kUndefined:
      return 0x51ed270b;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return std::hash<double>{}(value.as_float() + 0.0);
    case Kind::kString:
      rt.scan(value.bytes().size());
      return hash_text(value.bytes());
    case Kind::kTuple: {
      Nest nest(rt);
      size_t hash = 0x345678;
      for (const Value& item : value.sequence().items) hash = hash * 1000003 ^ hash_value(rt, item);
      return hash;
    }
    case Kind::kView:
      if (hashable(value)) return std::hash<const void*>{}(value.object().get());
      [[fallthrough]];
    case Kind::kList:
    case Kind::kDict:
      raise("TypeError", fmt::format("unhashable type: '{}'", type_name(value)));
    default:
      return std::hash<const void*>{}(value.object().get());
  }
}

}  // namespace keju::jinja
