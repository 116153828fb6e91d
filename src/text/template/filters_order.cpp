// SPDX-License-Identifier: MIT
#include <algorithm>

#include "base/error.h"
#include "text/template/callables.h"
#include "text/template/ops.h"
#include "text/template/strings.h"

// Filters that compare items: sort, min, groupby …
namespace keju::jinja {

namespace {

Value ignore_case(Runtime& rt, const Value& value) {
  if (!value.is(Kind::kString)) return value;
  return Value::string(change_case(rt, value.text(), Casing::kLower));
}

Value key_of(Runtime& rt,
             const Value& item,
             const Value& path,
             bool case_sensitive,
             const Value& fallback = Value()) {
  const Value key = get_path(rt, item, path, fallback);
  return case_sensitive ? key : ignore_case(rt, key);
}

// Keys of sort: "a,b.c" makes one key per path.
Value keys_of(Runtime& rt, const Value& item, const Value& paths, bool case_sensitive) {
  std::vector<Value> keys;
  if (!paths.is(Kind::kString)) {
    keys.push_back(key_of(rt, item, paths, case_sensitive));
    return make_list(rt, std::move(keys));
  }
  const std::string& text = paths.bytes();
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    keys.push_back(key_of(rt, item, Value::string(text.substr(at, comma - at)), case_sensitive));
    at = comma + 1;
  }
  return make_list(rt, std::move(keys));
}

struct Keyed {
  Value key, item;
};

void sort_keyed(Runtime& rt, std::vector<Keyed>& keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? ordered(rt, "<", b.key, a.key) : ordered(rt, "<", a.key, b.key);
  });
}

Value items_of(Runtime& rt, const std::vector<Keyed>& keyed) {
  std::vector<Value> items;
  for (const Keyed& k : keyed) items.push_back(k.item);
  return make_list(rt, std::move(items));
}

Value sort(Runtime& rt, const Value& self, Bound& args) {
  const bool case_sensitive = flag(rt, args[1], false);
  std::vector<Keyed> keyed;
  for (const Value& item : to_vector(rt, self)) {
    keyed.push_back({keys_of(rt, item, args[2], case_sensitive), item});
  }
  sort_keyed(rt, keyed, flag(rt, args[0], false));
  return items_of(rt, keyed);
}

Value dict_sort(Runtime& rt, const Value& self, Bound& args) {
  const bool case_sensitive = flag(rt, args[0], false);
  const std::string by = args[1].is(Kind::kString) ? args[1].bytes()
                         : args[1].missing()       ? "key"
                                                   : "";
  if (by != "key" && by != "value") {
    raise("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  }
  if (self.undefined()) fail_undefined(self);
  if (!self.is(Kind::kDict)) {
    raise("AttributeError", fmt::format("'{}' object has no attribute 'items'", type_name(self)));
  }
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : self.dict().items) {
    const Value& subject = by == "key" ? key : value;
    keyed.push_back(
        {case_sensitive ? subject : ignore_case(rt, subject), make_tuple(rt, {key, value})});
  }
  sort_keyed(rt, keyed, flag(rt, args[2], false));
  return items_of(rt, keyed);
}

template <bool most>
Value extreme(Runtime& rt, const Value& self, Bound& args) {
  const bool case_sensitive = flag(rt, args[0], false);
  const Next next = iterate(rt, self);
  Value best;
  Value best_key;
  for (Value item; next(item);) {
    rt.step();
    const Value key = key_of(rt, item, args[1], case_sensitive);
    if (best.missing() || ordered(rt, most ? ">" : "<", key, best_key)) {
      best = item;
      best_key = key;
    }
  }
  return best.missing() ? undefined("No aggregated item, sequence was empty.") : best;
}

Value sum(Runtime& rt, const Value& self, Bound& args) {
  Value total = args[1].missing() ? Value::integer(0) : args[1];
  if (total.is(Kind::kString)) {
    raise("TypeError", "sum() can't sum strings [use ''.join(seq) instead]");
  }
  const Next next = iterate(rt, self);
  for (Value item; next(item);) {
    rt.step();
    total = arithmetic(rt, "+", total, get_path(rt, item, args[0], Value()));
  }
  return total;
}

Value unique(Runtime& rt, const Value& self, Bound& args) {
  const bool case_sensitive = flag(rt, args[0], false);
  const Value path = args[1];
  const auto seen = std::make_shared<DictObject>();
  return make_iterator(
      rt,
      self.nesting(),
      [&rt, self, case_sensitive, path, seen, source = Next()](Value& out) mutable {
        if (!source) source = iterate(rt, self);
        while (source(out)) {
          const Value key = key_of(rt, out, path, case_sensitive);
          if (seen->find(rt, key)) continue;
          seen->set(rt, key, Value::none());
          return true;
        }
        return false;
      });
}

Value group_by(Runtime& rt, const Value& self, Bound& args) {
  const bool case_sensitive = flag(rt, args[2], false);
  std::vector<Keyed> keyed;
  for (const Value& item : to_vector(rt, self)) {
    keyed.push_back({key_of(rt, item, args[0], case_sensitive, args[1]), item});
  }
  sort_keyed(rt, keyed, false);
  std::vector<Value> groups;
  for (size_t begin = 0; begin < keyed.size();) {
    size_t end = begin;
    std::vector<Value> members;
    for (; end < keyed.size() && equal(rt, keyed[end].key, keyed[begin].key); ++end) {
      members.push_back(keyed[end].item);
    }
    if (end == begin) members.push_back(keyed[end++].item);  // a key unequal to itself
    const Value key = key_of(rt, keyed[begin].item, args[0], true, args[1]);
    Value group = make_tuple(rt, {key, make_list(rt, std::move(members))});
    static_cast<SequenceObject&>(*group.object()).group = true;
    groups.push_back(std::move(group));
    begin = end;
  }
  return make_list(rt, std::move(groups));
}

constexpr Callable kFilters[] = {
    {"dictsort", "case_sensitive?,by?,reverse?", dict_sort, "do_dictsort"},
    {"groupby", "attribute,default?,case_sensitive?", group_by, "sync_do_groupby", 2},
    {"max", "case_sensitive?,attribute?", extreme<true>, "do_max", 2},
    {"min", "case_sensitive?,attribute?", extreme<false>, "do_min", 2},
    {"sort", "reverse?,case_sensitive?,attribute?", sort, "do_sort", 2},
    {"sum", "attribute?,start?", sum, "sync_do_sum", 2},
    {"unique", "case_sensitive?,attribute?", unique, "sync_do_unique", 2},
};

}  // namespace

std::span<const Callable> order_filters() { return kFilters; }

}  // namespace keju::jinja
