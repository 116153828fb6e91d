// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/ops.h"
#include "text/template/strings.h"

namespace keju::jinja {

bool sized(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kDict:
    case Kind::kView:
    case Kind::kRange:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

int64_t length(Runtime& rt, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      if (rt.strict()) fail_undefined(value);
      return 0;
    case Kind::kString:
      return value.str().length;
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.sequence().items.size());
    case Kind::kDict:
      return static_cast<int64_t>(value.dict().items.size());
    case Kind::kView:
      return static_cast<int64_t>(value.view().items.size());
    case Kind::kRange:
      return value.range().length;
    case Kind::kLoop:
      return value.loop().length(rt);
    default:
      raise("TypeError", fmt::format("object of type '{}' has no len()", type_name(value)));
  }
}

bool iterable(const Value& value) {
  return value.is(Kind::kIterator) || (sized(value) && !value.missing());
}

namespace {

Next characters(const Value& value) {
  return [value, at = size_t{0}](Value& out) mutable {
    const MarkedText& text = value.text();
    if (at >= text.size()) return false;
    const size_t begin = at;
    next_code_point(text.bytes, at);
    out = Value::string(text.slice(begin, at));
    return true;
  };
}

Next loop_items(Runtime& rt, const Value& value) {
  return [&rt, value](Value& out) {
    Value item;
    if (!value.loop().next(item)) return false;
    out = make_tuple(rt, {item, value});
    return true;
  };
}

}  // namespace

Next iterate(Runtime& rt, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      if (rt.strict()) fail_undefined(value);
      return [](Value&) { return false; };
    case Kind::kString:
      return characters(value);
    case Kind::kList:
    case Kind::kTuple:
      return [value, i = size_t{0}](Value& out) mutable {
        const std::vector<Value>& items = value.sequence().items;
        return i < items.size() ? (out = items[i++], true) : false;
      };
    case Kind::kDict:
      return [value, i = size_t{0}](Value& out) mutable {
        const auto& items = value.dict().items;
        return i < items.size() ? (out = items[i++].first, true) : false;
      };
    case Kind::kView:
      return [value, i = size_t{0}](Value& out) mutable {
        const std::vector<Value>& items = value.view().items;
        return i < items.size() ? (out = items[i++], true) : false;
      };
    case Kind::kRange:
      return [value, i = int64_t{0}](Value& out) mutable {
        const RangeObject& range = value.range();
        return i < range.length ? (out = range.at(i++), true) : false;
      };
    case Kind::kIterator:
      return [&rt, value](Value& out) {
        Nest nest(rt);
        IteratorObject& source = value.iterator();
        if (source.next && source.next(out)) return true;
        source.next = nullptr;
        return false;
      };
    case Kind::kLoop:
      return loop_items(rt, value);
    default:
      raise("TypeError", fmt::format("'{}' object is not iterable", type_name(value)));
  }
}

std::vector<Value> to_vector(Runtime& rt, const Value& value) {
  std::vector<Value> items;
  const Next next = iterate(rt, value);
  for (Value item; next(item);) {
    rt.step();
    items.push_back(item);
  }
  return items;
}

Value item_at(Runtime& rt, const Value& sequence, int64_t index) {
  const int64_t count = length(rt, sequence);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return Value();
  if (sequence.is(Kind::kRange)) return sequence.range().at(index);
  if (!sequence.is(Kind::kString)) return sequence.sequence().items[static_cast<size_t>(index)];
  const StringObject& text = sequence.str();
  const size_t begin = byte_offset(rt, text, index);
  size_t end = begin;
  next_code_point(text.text.bytes, end);
  return Value::string(text.text.slice(begin, end), text.markup);
}

namespace {

struct Bounds {
  int64_t start, stop, step, count;
};

int64_t bound(const Value& value, int64_t fallback, int64_t low, int64_t high, int64_t length) {
  if (value.missing() || value.is(Kind::kNone)) return fallback;
  int64_t index = value.as_int();
  if (index < 0) index = index < -length ? low : index + length;
  return std::clamp(index, low, high);
}

Bounds slice_bounds(const Value& start, const Value& stop, const Value& step, int64_t length) {
  for (const Value* part : {&start, &stop, &step}) {
    if (!part->missing() && !part->is(Kind::kNone) && !part->is_integer()) {
      raise("TypeError", "slice indices must be integers or None or have an __index__ method");
    }
  }
  int64_t stride = step.is_integer() ? step.as_int() : 1;
  if (stride == 0) raise("ValueError", "slice step cannot be zero");
  stride = std::clamp<int64_t>(stride, -(int64_t{1} << 62), int64_t{1} << 62);
  const bool down = stride < 0;
  const int64_t low = down ? -1 : 0;
  const int64_t high = down ? length - 1 : length;
  const int64_t first = bound(start, down ? high : low, low, high, length);
  const int64_t last = bound(stop, down ? low : high, low, high, length);
  int64_t count = 0;
  if (down && first > last) count = (first - last - 1) / -stride + 1;
  if (!down && first < last) count = (last - first - 1) / stride + 1;
  return {first, last, stride, count};
}

Value slice_text(Runtime& rt, const StringObject& text, const Bounds& b) {
  Builder out(rt);
  if (b.step == 1) {
    const size_t begin = byte_offset(rt, text, b.start);
    const size_t end = byte_offset(rt, text, b.start + b.count);
    out.append(text.text, begin, end);
    return out.value(text.markup);
  }
  std::vector<size_t> offsets;
  for (size_t at = 0; at < text.text.size(); next_code_point(text.text.bytes, at)) {
    offsets.push_back(at);
  }
  offsets.push_back(text.text.size());
  rt.step(b.count);
  for (int64_t i = 0; i < b.count; ++i) {
    const size_t at = static_cast<size_t>(b.start + i * b.step);
    out.append(text.text, offsets[at], offsets[at + 1]);
  }
  return out.value(text.markup);
}

}  // namespace

Value slice(
    Runtime& rt, const Value& value, const Value& start, const Value& stop, const Value& step) {
  if (value.undefined()) fail_undefined(value);
  if (value.is(Kind::kDict)) raise("TypeError", "unhashable type: 'slice'");
  const bool list = value.is(Kind::kList) || value.is(Kind::kTuple);
  if (!list && !value.is(Kind::kString) && !value.is(Kind::kRange)) {
    raise("TypeError", fmt::format("'{}' object is not subscriptable", type_name(value)));
  }
  const Bounds b = slice_bounds(start, stop, step, length(rt, value));
  if (value.is(Kind::kString)) return slice_text(rt, value.str(), b);
  if (value.is(Kind::kRange)) {
    const RangeObject& range = value.range();
    const int64_t last = range.start + b.stop * range.step;
    return make_range(rt, range.start + b.start * range.step, last, range.step * b.step);
  }
  std::vector<Value> items;
  for (int64_t i = 0; i < b.count; ++i) {
    items.push_back(value.sequence().items[static_cast<size_t>(b.start + i * b.step)]);
  }
  return list && value.is(Kind::kTuple) ? make_tuple(rt, std::move(items))
                                        : make_list(rt, std::move(items));
}

}  // namespace keju::jinja
