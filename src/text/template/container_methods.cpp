// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

namespace keju::jinja {

namespace {

Value count_items(Runtime& rt, const Value& self, Bound& args) {
  int64_t count = 0;
  for (const Value& item : self.sequence().items) {
    count += same(item, args[0]) || equal(rt, item, args[0]) ? 1 : 0;
  }
  return Value::integer(count);
}

Value index_of(Runtime& rt, const Value& self, Bound& args) {
  const std::vector<Value>& items = self.sequence().items;
  const int64_t size = static_cast<int64_t>(items.size());
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t end = clamp(integer_argument(args[2], size));
  for (int64_t i = clamp(integer_argument(args[1], 0)); i < end; ++i) {
    const Value& item = items[static_cast<size_t>(i)];
    if (same(item, args[0]) || equal(rt, item, args[0])) return Value::integer(i);
  }
  raise("ValueError",
        self.is(Kind::kList) ? show(rt, args[0]) + " is not in list"
                             : "tuple.index(x): x not in tuple");
}

Value copy(Runtime&, const Value& self, Bound&) { return self; }

Value dict_get(Runtime& rt, const Value& self, Bound& args) {
  const Value* found = self.dict().find(rt, args[0]);
  if (found) return *found;
  return args[1].missing() ? Value::none() : args[1];
}

Value dict_items(Runtime& rt, const Value& self, Bound&) {
  std::vector<Value> items;
  for (const auto& [key, value] : self.dict().items) items.push_back(make_tuple(rt, {key, value}));
  return make_view(rt, "dict_items", std::move(items));
}

Value dict_keys(Runtime& rt, const Value& self, Bound&) {
  std::vector<Value> items;
  for (const auto& item : self.dict().items) items.push_back(item.first);
  return make_view(rt, "dict_keys", std::move(items));
}

Value dict_values(Runtime& rt, const Value& self, Bound&) {
  std::vector<Value> items;
  for (const auto& item : self.dict().items) items.push_back(item.second);
  return make_view(rt, "dict_values", std::move(items));
}

Value from_keys(Runtime& rt, const Value&, Bound& args) {
  auto dict = std::make_shared<DictObject>();
  const Next next = iterate(rt, args[0]);
  for (Value key; next(key);) dict->set(rt, key, args[1].missing() ? Value::none() : args[1]);
  return make_dict(rt, std::move(dict));
}

Value loop_cycle(Runtime&, const Value& self, Bound& args) {
  const std::vector<Value>& values = args.raw->args;
  if (!args.raw->kwargs.empty()) raise("TypeError", "cycle() got an unexpected keyword argument");
  if (values.empty()) raise("TypeError", "no items for cycling given");
  const int64_t count = static_cast<int64_t>(values.size());
  return values[static_cast<size_t>((self.loop().index0 % count + count) % count)];
}

Value loop_changed(Runtime& rt, const Value& self, Bound& args) {
  const Value now = make_tuple(rt, args.raw->args);
  LoopObject& loop = self.loop();
  if (!loop.changed.missing() && equal(rt, loop.changed, now)) return Value::boolean(false);
  if (!loop.ended) loop.changed = now;
  return Value::boolean(true);
}

constexpr Callable kList[] = {
    {"copy", "/", copy},
    {"count", "/value", count_items},
    {"index", "/value,start?,stop?", index_of},
};
constexpr Callable kTuple[] = {
    {"count", "/value", count_items},
    {"index", "/value,start?,stop?", index_of},
};
constexpr Callable kDict[] = {
    {"copy", "/", copy},
    {"fromkeys", "/iterable,value?", from_keys},
    {"get", "/key,default?", dict_get},
    {"items", "/", dict_items},
    {"keys", "/", dict_keys},
    {"values", "/", dict_values},
};
constexpr Callable kLoop[] = {
    {"changed", "*", loop_changed},
    {"cycle", "*", loop_cycle},
};

}  // namespace

std::span<const Callable> list_methods() { return kList; }
std::span<const Callable> tuple_methods() { return kTuple; }
std::span<const Callable> dict_methods() { return kDict; }
std::span<const Callable> loop_methods() { return kLoop; }

}  // namespace keju::jinja
