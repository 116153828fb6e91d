// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"

// Filters over sequences. Most hand out an iterator that works as it is walked, as the reference's
// generators do: an error in an item shows when that item is asked for.
namespace keju::jinja {

namespace {

// A generator whose source is opened on the first step.
Value generator(Runtime& rt, int nesting, std::function<Next()> open) {
  return make_iterator(rt, nesting, [open = std::move(open), next = Next()](Value& out) mutable {
    if (!next) next = open();
    return next(out);
  });
}

Next nothing() {
  return [](Value&) { return false; };
}

Value first(Runtime& rt, const Value& self, Bound&) {
  Value item;
  return iterate(rt, self)(item) ? item : undefined("No first item, sequence was empty.");
}

Value last(Runtime& rt, const Value& self, Bound&) {
  if (self.is(Kind::kIterator) || !iterable(self)) {
    raise("TypeError", fmt::format("'{}' object is not reversible", type_name(self)));
  }
  Value item;
  if (self.is(Kind::kDict) || self.is(Kind::kView)) {
    const std::vector<Value> items = to_vector(rt, self);
    if (!items.empty()) item = items.back();
  } else if (!self.undefined()) {
    item = item_at(rt, self, -1);
  }
  return item.missing() ? undefined("No last item, sequence was empty.") : item;
}

Value count(Runtime& rt, const Value& self, Bound&) { return Value::integer(length(rt, self)); }

Value list(Runtime& rt, const Value& self, Bound&) { return make_list(rt, to_vector(rt, self)); }

Value join(Runtime& rt, const Value& self, Bound& args) {
  const MarkedText separator = args[0].missing() ? MarkedText() : to_text(rt, args[0]);
  const bool by_path = !args[1].missing() && !args[1].is(Kind::kNone);
  Builder out(rt);
  const Next next = iterate(rt, self);
  bool begun = false;
  for (Value item; next(item); begun = true) {
    rt.step();
    if (begun) out.append(separator);
    append_str(out, by_path ? get_path(rt, item, args[1], Value()) : item);
  }
  return out.value();
}

// What map does to an item: a filter by name, or a path.
std::function<Value(const Value&)> mapper(Runtime& rt, CallArgs args) {
  const auto named = [&](const char* name) {
    return std::find_if(args.kwargs.begin(), args.kwargs.end(), [&](const auto& kwarg) {
      return kwarg.first == name;
    });
  };
  if (args.args.empty() && named("attribute") != args.kwargs.end()) {
    const Value path = named("attribute")->second;
    const auto fallback = named("default");
    const Value other = fallback == args.kwargs.end() ? Value() : fallback->second;
    for (const auto& [name, value] : args.kwargs) {
      if (name != "attribute" && name != "default") {
        raise("FilterArgumentError", fmt::format("Unexpected keyword argument '{}'", name));
      }
    }
    return [&rt, path, other](const Value& item) { return get_path(rt, item, path, other); };
  }
  if (args.args.empty()) raise("FilterArgumentError", "map requires a filter argument");
  const Value name = args.args[0];
  args.args.erase(args.args.begin());
  return [&rt, name, args](const Value& item) { return filter_by_name(rt, name, item, args); };
}

int deepest(const Value& self, const CallArgs& args) {
  int nesting = self.nesting();
  for (const Value& arg : args.args) nesting = std::max(nesting, arg.nesting());
  for (const auto& arg : args.kwargs) nesting = std::max(nesting, arg.second.nesting());
  return nesting;
}

Value map(Runtime& rt, const Value& self, Bound& bound) {
  CallArgs args = *bound.raw;
  return generator(rt, deepest(self, args), [&rt, self, args]() -> Next {
    if (!truth(rt, self)) return nothing();
    return [&rt, source = iterate(rt, self), change = mapper(rt, args)](Value& out) {
      rt.step();
      Value item;
      if (!source(item)) return false;
      out = change(item);
      return true;
    };
  });
}

// What select and its kin ask of an item.
std::function<bool(const Value&)> chooser(Runtime& rt, CallArgs args, bool by_attribute) {
  Value path;
  if (by_attribute) {
    if (args.args.empty()) {
      raise("FilterArgumentError", "Missing parameter for attribute name");
    }
    path = args.args[0];
    args.args.erase(args.args.begin());
  }
  Value name;
  if (!args.args.empty()) {
    name = args.args[0];
    args.args.erase(args.args.begin());
  }
  return [&rt, path, name, args](const Value& item) {
    const Value subject = get_path(rt, item, path, Value());
    return name.missing() ? truth(rt, subject) : test_by_name(rt, name, subject, args);
  };
}

template <bool wanted, bool by_attribute>
Value choose(Runtime& rt, const Value& self, Bound& bound) {
  CallArgs args = *bound.raw;
  return generator(rt, deepest(self, args), [&rt, self, args]() -> Next {
    if (!truth(rt, self)) return nothing();
    return [&rt, source = iterate(rt, self), ask = chooser(rt, args, by_attribute)](Value& out) {
      while (source(out)) {
        rt.step();
        if (ask(out) == wanted) return true;
      }
      return false;
    };
  });
}

Value items(Runtime& rt, const Value& self, Bound&) {
  return generator(rt, self.nesting() + 1, [&rt, self]() -> Next {
    if (self.undefined()) return nothing();
    if (!self.is(Kind::kDict)) raise("TypeError", "Can only get item pairs from a mapping.");
    return [&rt, self, i = size_t{0}](Value& out) mutable {
      const auto& pairs = self.dict().items;
      if (i >= pairs.size()) return false;
      out = make_tuple(rt, {pairs[i].first, pairs[i].second});
      ++i;
      return true;
    };
  });
}

bool given(const Value& value) { return !value.missing() && !value.is(Kind::kNone); }

Value batch(Runtime& rt, const Value& self, Bound& args) {
  const int64_t size = integer_argument(args[0], 1);
  const Value fill = args[1];
  return generator(rt, self.nesting() + 1, [&rt, self, size, fill]() -> Next {
    return [&rt, source = iterate(rt, self), size, fill](Value& out) {
      std::vector<Value> row;
      for (Value item; static_cast<int64_t>(row.size()) < std::max<int64_t>(size, 1);) {
        rt.step();
        if (!source(item)) break;
        row.push_back(item);
      }
      if (row.empty()) return false;
      while (given(fill) && static_cast<int64_t>(row.size()) < size) {
        rt.step();
        row.push_back(fill);
      }
      out = make_list(rt, std::move(row));
      return true;
    };
  });
}

Value slices(Runtime& rt, const Value& self, Bound& args) {
  const int64_t count = integer_argument(args[0], 1);
  const Value fill = args[1];
  return generator(rt, self.nesting() + 1, [&rt, self, count, fill]() -> Next {
    const std::vector<Value> all = to_vector(rt, self);
    if (count == 0) raise("ZeroDivisionError", "integer division or modulo by zero");
    const int64_t total = static_cast<int64_t>(all.size());
    return [&rt, all, count, fill, total, i = int64_t{0}, at = int64_t{0}](Value& out) mutable {
      if (i >= count) return false;
      const bool extra = i < total % count;
      const int64_t size = total / count + (extra ? 1 : 0);
      std::vector<Value> row(all.begin() + at, all.begin() + at + size);
      at += size;
      ++i;
      if (given(fill) && !extra) row.push_back(fill);
      out = make_list(rt, std::move(row));
      return true;
    };
  });
}

Value reverse(Runtime& rt, const Value& self, Bound&) {
  if (self.is(Kind::kString)) return slice(rt, self, Value(), Value(), Value::integer(-1));
  if (!iterable(self)) raise("FilterArgumentError", "argument must be iterable");
  std::vector<Value> all = to_vector(rt, self);
  std::reverse(all.begin(), all.end());
  if (self.is(Kind::kIterator)) return make_list(rt, std::move(all));
  const char* type = self.is(Kind::kList) ? "list_reverseiterator" : "reversed";
  return make_iterator(rt, self.nesting(), iterate(rt, make_list(rt, std::move(all))), type);
}

Value attribute(Runtime& rt, const Value& self, Bound& args) {
  if (!args[0].is(Kind::kString)) {
    raise("TypeError", fmt::format("attribute name must be string, not '{}'", type_name(args[0])));
  }
  const Value found = python_attribute(rt, self, args[0].bytes());
  if (!found.missing()) return found;
  return undefined(
      fmt::format("'{}' has no attribute {}", object_type_repr(self), show(rt, args[0])));
}

constexpr Callable kFilters[] = {
    {"attr", "name", attribute, "do_attr", 2},
    {"batch", "linecount,fill_with?", batch, "do_batch"},
    {"count", "", count, "len"},
    {"first", "", first, "sync_do_first", 2},
    {"items", "", items, "do_items"},
    {"join", "d?,attribute?", join, "sync_do_join", 2},
    {"last", "", last, "do_last", 2},
    {"length", "", count, "len"},
    {"list", "", list, "sync_do_list"},
    {"map", "*", map},
    {"reject", "*", choose<false, false>},
    {"rejectattr", "*", choose<false, true>},
    {"reverse", "", reverse, "do_reverse"},
    {"select", "*", choose<true, false>},
    {"selectattr", "*", choose<true, true>},
    {"slice", "slices,fill_with?", slices, "sync_do_slice"},
};

}  // namespace

std::span<const Callable> sequence_filters() { return kFilters; }

}  // namespace keju::jinja
