// SPDX-License-Identifier: MIT
#include "text/template/callables.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "text/template/ops.h"

namespace keju::jinja {

const Callable* find_callable(std::span<const Callable> table, std::string_view name) {
  const auto it =
      std::find_if(table.begin(), table.end(), [&](const Callable& c) { return name == c.name; });
  return it == table.end() ? nullptr : &*it;
}

namespace {

struct Parameter {
  std::string_view name;
  bool optional;
};

std::vector<Parameter> parameters_of(std::string_view list) {
  std::vector<Parameter> out;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    const bool optional = name.back() == '?';
    if (optional) name.remove_suffix(1);
    out.push_back({name, optional});
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

const char* shown_name(const Callable& callable) {
  return callable.shown ? callable.shown : callable.name;
}

[[noreturn]] void too_many(const Callable& callable,
                           const std::vector<Parameter>& parameters,
                           size_t given) {
  const size_t hidden = static_cast<size_t>(callable.hidden);
  const size_t most = parameters.size() + hidden;
  const size_t least =
      hidden +
      static_cast<size_t>(std::count_if(
          parameters.begin(), parameters.end(), [](const Parameter& p) { return !p.optional; }));
  raise("TypeError",
        least == most
            ? fmt::format("{}() takes {} positional argument{} but {} were given",
                          shown_name(callable),
                          most,
                          most == 1 ? "" : "s",
                          given + hidden)
            : fmt::format("{}() takes from {} to {} positional arguments but {} were given",
                          shown_name(callable),
                          least,
                          most,
                          given + hidden));
}

void check_missing(const Callable& callable,
                   const std::vector<Parameter>& parameters,
                   const Bound& bound) {
  std::vector<std::string> missing;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (bound[i].missing() && !parameters[i].optional) {
      missing.push_back(fmt::format("'{}'", parameters[i].name));
    }
  }
  if (missing.empty()) return;
  std::string names = missing[0];
  for (size_t i = 1; i < missing.size(); ++i) {
    names += (i + 1 < missing.size() ? ", " : missing.size() > 2 ? ", and " : " and ") + missing[i];
  }
  raise("TypeError",
        fmt::format("{}() missing {} required positional argument{}: {}",
                    shown_name(callable),
                    missing.size(),
                    missing.size() == 1 ? "" : "s",
                    names));
}

void bind_keywords(const Callable& callable,
                   const std::vector<Parameter>& parameters,
                   CallArgs& args,
                   Bound& bound) {
  for (auto& [name, value] : args.kwargs) {
    const auto it = std::find_if(
        parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == name; });
    if (it == parameters.end()) {
      raise(
          "TypeError",
          fmt::format("{}() got an unexpected keyword argument '{}'", shown_name(callable), name));
    }
    Value& slot = bound.values[static_cast<size_t>(it - parameters.begin())];
    if (!slot.missing()) {
      raise("TypeError",
            fmt::format("{}() got multiple values for argument '{}'", shown_name(callable), name));
    }
    slot = value;
  }
}

}  // namespace

Value invoke(Runtime& rt, const Callable& callable, const Value& self, CallArgs& args) {
  rt.step();
  Bound bound;
  bound.raw = &args;
  std::string_view list = callable.parameters;
  if (list == "*") return callable.body(rt, self, bound);
  if (!list.empty() && list[0] == '/') {
    list.remove_prefix(1);
    if (!args.kwargs.empty()) {
      raise("TypeError", fmt::format("{}() takes no keyword arguments", shown_name(callable)));
    }
  }
  const std::vector<Parameter> parameters = parameters_of(list);
  if (args.args.size() > parameters.size()) too_many(callable, parameters, args.args.size());
  bound.values = args.args;
  bound.values.resize(parameters.size());
  bind_keywords(callable, parameters, args, bound);
  check_missing(callable, parameters, bound);
  return callable.body(rt, self, bound);
}

const Callable* find_filter(std::string_view name) {
  for (const auto table :
       {text_filters(), markup_filters(), sequence_filters(), order_filters(), value_filters()}) {
    if (const Callable* found = find_callable(table, name)) return found;
  }
  return nullptr;
}

const Callable* find_test(std::string_view name) { return find_callable(tests(), name); }

bool flag(Runtime& rt, const Value& value, bool fallback) {
  return value.missing() ? fallback : truth(rt, value);
}

int64_t integer_argument(const Value& value, int64_t fallback) {
  if (value.missing()) return fallback;
  if (!value.is_integer()) {
    raise("TypeError",
          fmt::format("'{}' object cannot be interpreted as an integer", type_name(value)));
  }
  return value.as_int();
}

Value filter_by_name(Runtime& rt, const Value& name, const Value& self, CallArgs args) {
  const Callable* filter = name.is(Kind::kString) ? find_filter(name.bytes()) : nullptr;
  if (!filter) {
    raise("TemplateRuntimeError", fmt::format("No filter named {}.", show(rt, name)));
  }
  return invoke(rt, *filter, self, args);
}

bool test_by_name(Runtime& rt, const Value& name, const Value& self, CallArgs args) {
  const Callable* test = name.is(Kind::kString) ? find_test(name.bytes()) : nullptr;
  if (!test) raise("TemplateRuntimeError", fmt::format("No test named {}.", show(rt, name)));
  return truth(rt, invoke(rt, *test, self, args));
}

Value get_path(Runtime& rt, const Value& object, const Value& path, const Value& fallback) {
  if (path.is(Kind::kNone) || path.missing()) return object;
  Value value = object;
  const auto follow = [&](const Value& part) {
    value = get_item(rt, value, part);
    if (value.undefined() && !fallback.missing() && !fallback.is(Kind::kNone)) value = fallback;
  };
  if (!path.is(Kind::kString)) {
    follow(path);
    return value;
  }
  const std::string& text = path.bytes();
  for (size_t at = 0; at <= text.size();) {
    const size_t dot = std::min(text.find('.', at), text.size());
    const std::string part = text.substr(at, dot - at);
    const bool index = !part.empty() && part.size() < 18 &&
                       part.find_first_not_of("0123456789") == std::string::npos;
    follow(index ? Value::integer(std::stoll(part)) : Value::string(part));
    at = dot + 1;
  }
  return value;
}

}  // namespace keju::jinja
