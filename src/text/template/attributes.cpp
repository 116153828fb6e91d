// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

namespace keju::jinja {

namespace {

// Methods that change a list or dict: the immutable sandbox hands out something undefined instead.
constexpr std::string_view kListMutators[] = {
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"};
constexpr std::string_view kDictMutators[] = {"clear", "pop", "popitem", "setdefault", "update"};
// Names that every Python object has; all of them are out of bounds.
constexpr std::string_view kInternals[] = {
    "__class__",   "__delattr__", "__dir__",           "__doc__",         "__eq__",
    "__format__",  "__ge__",      "__getattribute__",  "__getstate__",    "__gt__",
    "__hash__",    "__init__",    "__init_subclass__", "__le__",          "__lt__",
    "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",   "__repr__",
    "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__"};

template <typename Range>
bool has(const Range& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::span<const Callable> methods_of(const Value& object) {
  switch (object.kind()) {
    case Kind::kString:
      return string_methods();
    case Kind::kList:
      return list_methods();
    case Kind::kTuple:
      return tuple_methods();
    case Kind::kDict:
      return dict_methods();
    case Kind::kLoop:
      return loop_methods();
    case Kind::kFunction:
      return as_cycler(object) ? cycler_methods() : std::span<const Callable>();
    default:
      return {};
  }
}

Value bound_method(Runtime& rt, const Value& object, const Callable& method) {
  auto function = std::make_shared<FunctionObject>();
  function->name = method.name;
  function->type = object.is(Kind::kLoop) ? "method" : "builtin_function_or_method";
  function->shown =
      fmt::format("<built-in method {} of {} object>", method.name, type_name(object));
  function->nesting = object.nesting() + 1;
  check_nesting(rt, function->nesting);
  function->call = [object, &method](Runtime& runtime, CallArgs& args) {
    return invoke(runtime, method, object, args);
  };
  return Value(Kind::kFunction, std::move(function));
}

Value loop_attribute(Runtime& rt, LoopObject& loop, std::string_view name) {
  const int64_t index = loop.index0 + 1;
  if (name == "index") return Value::integer(index);
  if (name == "index0") return Value::integer(loop.index0);
  if (name == "first") return Value::boolean(loop.index0 == 0);
  if (name == "last") return Value::boolean(!loop.peek(nullptr));
  if (name == "length") return Value::integer(loop.length(rt));
  if (name == "revindex") return Value::integer(loop.length(rt) - loop.index0);
  if (name == "revindex0") return Value::integer(loop.length(rt) - index);
  if (name == "depth") return Value::integer(loop.depth0 + 1);
  if (name == "depth0") return Value::integer(loop.depth0);
  if (name == "previtem") {
    return loop.index0 == 0 ? undefined("there is no previous item") : loop.before;
  }
  if (name == "nextitem") {
    Value item;
    return loop.peek(&item) ? item : undefined("there is no next item");
  }
  return Value();
}

Value macro_attribute(Runtime& rt, const FunctionObject& function, std::string_view name) {
  if (name == "name") return Value::string(function.name);
  if (name != "arguments") return Value();
  std::vector<Value> names;
  for (const std::string& parameter : function.parameters)
    names.push_back(Value::string(parameter));
  return make_tuple(rt, std::move(names));
}

Value unsafe(const Value& object, std::string_view name) {
  return undefined(
      fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)),
      "SecurityError");
}

Value no_attribute(Runtime& rt, const Value& object, const Value& name) {
  if (name.is(Kind::kString)) {
    return undefined(
        fmt::format("'{}' has no attribute {}", object_type_repr(object), show(rt, name)));
  }
  return undefined(fmt::format("{} has no element {}", object_type_repr(object), show(rt, name)));
}

}  // namespace

Value python_attribute(Runtime& rt, const Value& object, std::string_view name) {
  if (object.undefined()) {
    const bool dunder = name.size() >= 4 && name.starts_with("__") && name.ends_with("__");
    if (!dunder) fail_undefined(object);
    return Value();
  }
  if (object.is(Kind::kNamespace)) {
    if (name == "__class__") return unsafe(object, name);
    const Value* found = object.name_space().attributes.find(name);
    if (!found) return Value();
    return name.starts_with("_") ? unsafe(object, name) : *found;
  }
  if (has(kInternals, name)) return unsafe(object, name);
  if (object.is(Kind::kList) && has(kListMutators, name)) return unsafe(object, name);
  if (object.is(Kind::kDict) && has(kDictMutators, name)) return unsafe(object, name);
  if (object.is(Kind::kLoop)) {
    const Value value = loop_attribute(rt, object.loop(), name);
    if (!value.missing()) return value;
  }
  if (object.is(Kind::kFunction) && !object.function().parameters.empty()) {
    return macro_attribute(rt, object.function(), name);
  }
  if (const CyclerObject* cycle = as_cycler(object); cycle && name == "current") {
    return cycle->items[cycle->position];
  }
  if (object.is(Kind::kTuple) && object.sequence().group) {
    if (name == "grouper") return object.sequence().items[0];
    if (name == "list") return object.sequence().items[1];
  }
  if (object.is(Kind::kRange)) {
    const RangeObject& range = object.range();
    if (name == "start") return Value::integer(range.start);
    if (name == "stop") return Value::integer(range.stop);
    if (name == "step") return Value::integer(range.step);
  }
  if (const Callable* method = find_callable(methods_of(object), name)) {
    return bound_method(rt, object, *method);
  }
  return Value();
}

namespace {

// `object[key]` alone: missing where Python raises TypeError or LookupError.
Value subscript(Runtime& rt, const Value& object, const Value& key) {
  switch (object.kind()) {
    case Kind::kUndefined:
      fail_undefined(object);
    case Kind::kDict: {
      if (!hashable(key)) return Value();
      const Value* found = object.dict().find(rt, key);
      return found ? *found : Value();
    }
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRange:
      return key.is_integer() ? item_at(rt, object, key.as_int()) : Value();
    default:
      return Value();
  }
}

}  // namespace

Value get_attribute(Runtime& rt, const Value& object, const Value& name) {
  Value value = python_attribute(rt, object, name.bytes());
  if (value.missing()) value = subscript(rt, object, name);
  return value.missing() ? no_attribute(rt, object, name) : value;
}

Value get_item(Runtime& rt, const Value& object, const Value& key) {
  Value value = subscript(rt, object, key);
  if (value.missing() && key.is(Kind::kString)) value = python_attribute(rt, object, key.bytes());
  return value.missing() ? no_attribute(rt, object, key) : value;
}

Value call(Runtime& rt, const Value& callee, CallArgs args) {
  if (callee.undefined()) fail_undefined(callee);
  Nest nest(rt);
  if (callee.is(Kind::kFunction) && callee.function().call) return callee.function().call(rt, args);
  if (callee.is(Kind::kLoop)) {
    LoopObject& loop = callee.loop();
    if (args.args.size() != 1 || !args.kwargs.empty()) {
      raise("TypeError", "LoopContext.__call__() takes 2 positional arguments");
    }
    if (!loop.recurse) {
      raise("TypeError", "The loop must have the 'recursive' marker to be called recursively.");
    }
    return loop.recurse(rt, args.args[0], loop.depth0 + 1);
  }
  raise("TypeError", fmt::format("'{}' object is not callable", type_name(callee)));
}

}  // namespace keju::jinja
