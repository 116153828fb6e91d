// SPDX-License-Identifier: MIT
#include "text/template/value.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/ops.h"

namespace keju::jinja {

void raise(const char* kind, std::string what) { throw Fault(kind, std::move(what)); }

void Runtime::over(const char* what, int64_t limit) {
  throw Fault("", fmt::format("more than {} {}: the template is refused", limit, what));
}

Runtime::~Runtime() {
  for (const std::shared_ptr<Object>& object : kept_) object->drop();
}

Value Value::boolean(bool b) {
  Value value(Kind::kBool, nullptr);
  value.int_ = b ? 1 : 0;
  return value;
}

Value Value::integer(int64_t i) {
  Value value(Kind::kInt, nullptr);
  value.int_ = i;
  return value;
}

Value Value::number(double d) {
  Value value(Kind::kFloat, nullptr);
  value.float_ = d;
  return value;
}

Value Value::string(MarkedText text, bool markup) {
  auto object = std::make_shared<StringObject>();
  object->ascii = std::all_of(text.bytes.begin(), text.bytes.end(), [](char c) { return c >= 0; });
  object->length =
      static_cast<int64_t>(object->ascii ? text.size() : count_code_points(text.bytes));
  object->text = std::move(text);
  object->markup = markup;
  return Value(Kind::kString, std::move(object));
}

namespace {
template <typename T>
T& cast(const std::shared_ptr<Object>& object) {
  return static_cast<T&>(*object);
}
}  // namespace

const StringObject& Value::str() const { return cast<StringObject>(object_); }
const MarkedText& Value::text() const { return str().text; }
const SequenceObject& Value::sequence() const { return cast<SequenceObject>(object_); }
const DictObject& Value::dict() const { return cast<DictObject>(object_); }
const ViewObject& Value::view() const { return cast<ViewObject>(object_); }
const RangeObject& Value::range() const { return cast<RangeObject>(object_); }
const UndefinedObject& Value::hint() const { return cast<UndefinedObject>(object_); }
const FunctionObject& Value::function() const { return cast<FunctionObject>(object_); }
IteratorObject& Value::iterator() const { return cast<IteratorObject>(object_); }
NamespaceObject& Value::name_space() const { return cast<NamespaceObject>(object_); }
LoopObject& Value::loop() const { return cast<LoopObject>(object_); }

int64_t DictObject::position(Runtime& rt, const Value& key, size_t hash) const {
  const auto [first, last] = index_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (equal(rt, items[it->second].first, key)) return static_cast<int64_t>(it->second);
  }
  return -1;
}

const Value* DictObject::find(Runtime& rt, const Value& key) const {
  if (key.is(Kind::kString)) return find(key.bytes());
  const int64_t at = position(rt, key, hash_value(rt, key));
  return at < 0 ? nullptr : &items[static_cast<size_t>(at)].second;
}

const Value* DictObject::find(std::string_view key) const {
  const auto [first, last] = index_.equal_range(hash_text(key));
  for (auto it = first; it != last; ++it) {
    const Value& known = items[it->second].first;
    if (known.is(Kind::kString) && known.bytes() == key) return &items[it->second].second;
  }
  return nullptr;
}

void DictObject::add(size_t hash, Value key, Value value) {
  nesting = std::max({nesting, key.nesting() + 1, value.nesting() + 1});
  index_.emplace(hash, items.size());
  items.emplace_back(std::move(key), std::move(value));
}

void DictObject::set(Runtime& rt, const Value& key, Value value) {
  rt.step();
  const size_t hash = hash_value(rt, key);
  const int64_t at = position(rt, key, hash);
  if (at < 0) return add(hash, key, std::move(value));
  nesting = std::max(nesting, value.nesting() + 1);
  items[static_cast<size_t>(at)].second = std::move(value);
}

void DictObject::set(std::string_view key, Value value) {
  if (const Value* old = find(key)) {
    nesting = std::max(nesting, value.nesting() + 1);
    *const_cast<Value*>(old) = std::move(value);
  } else {
    add(hash_text(key), Value::string(key), std::move(value));
  }
}

void DictObject::drop() {
  items.clear();
  index_.clear();
}

bool LoopObject::next(Value& out) {
  if (!ahead_.empty()) {
    out = std::move(ahead_.back());
    ahead_.pop_back();
  } else if (!source || !source(out)) {
    return false;
  }
  ++index0;
  before = std::move(current);
  current = out;
  return true;
}

bool LoopObject::peek(Value* out) {
  if (ahead_.empty()) {
    Value item;
    if (!source || !source(item)) return false;
    ahead_.push_back(std::move(item));
  }
  if (out) *out = ahead_.back();
  return true;
}

int64_t LoopObject::length(Runtime& rt) {
  if (known_length >= 0) return known_length;
  std::vector<Value> rest(ahead_.rbegin(), ahead_.rend());
  for (Value item; source && source(item);) {
    rt.step();
    rest.push_back(item);
  }
  ahead_.assign(rest.rbegin(), rest.rend());
  known_length = index0 + 1 + static_cast<int64_t>(ahead_.size());
  return known_length;
}

void LoopObject::drop() {
  ended = true;
  source = nullptr;
  recurse = nullptr;
  ahead_.clear();
  current = before = changed = Value();
}

void check_nesting(Runtime& rt, int nesting) {
  if (nesting > rt.max_depth()) Runtime::over("levels of nested values", rt.max_depth());
}

Value undefined(std::string message, const char* error) {
  auto object = std::make_shared<UndefinedObject>();
  object->message = std::move(message);
  object->error = error;
  return Value(Kind::kUndefined, std::move(object));
}

Value undefined_name(std::string_view name) {
  return undefined(fmt::format("'{}' is undefined", name));
}

namespace {

int deepest(const std::vector<Value>& items) {
  int nesting = 0;
  for (const Value& item : items) nesting = std::max(nesting, item.nesting());
  return nesting + 1;
}

Value make_sequence(Runtime& rt, Kind kind, std::vector<Value> items) {
  rt.step(1 + static_cast<int64_t>(items.size() / 8));
  auto object = std::make_shared<SequenceObject>();
  object->nesting = deepest(items);
  check_nesting(rt, object->nesting);
  object->items = std::move(items);
  return Value(kind, std::move(object));
}

}  // namespace

Value make_list(Runtime& rt, std::vector<Value> items) {
  return make_sequence(rt, Kind::kList, std::move(items));
}

Value make_tuple(Runtime& rt, std::vector<Value> items) {
  return make_sequence(rt, Kind::kTuple, std::move(items));
}

Value make_dict(Runtime& rt, std::shared_ptr<DictObject> dict) {
  check_nesting(rt, dict->nesting);
  return Value(Kind::kDict, std::move(dict));
}

Value make_view(Runtime& rt, const char* type, std::vector<Value> items) {
  rt.step(1 + static_cast<int64_t>(items.size() / 8));
  auto object = std::make_shared<ViewObject>();
  object->type = type;
  object->nesting = deepest(items);
  check_nesting(rt, object->nesting);
  object->items = std::move(items);
  return Value(Kind::kView, std::move(object));
}

Value make_iterator(Runtime& rt, int nesting, Next next, const char* type) {
  auto object = std::make_shared<IteratorObject>();
  object->type = type;
  object->nesting = nesting + 1;
  check_nesting(rt, object->nesting);
  object->next = std::move(next);
  return Value(Kind::kIterator, std::move(object));
}

Value make_range(Runtime&, int64_t start, int64_t stop, int64_t step) {
  if (step == 0) raise("ValueError", "range() arg 3 must not be zero");
  const __int128 span =
      step > 0 ? static_cast<__int128>(stop) - start : static_cast<__int128>(start) - stop;
  const __int128 stride = step > 0 ? static_cast<__int128>(step) : -static_cast<__int128>(step);
  const __int128 length = span <= 0 ? 0 : (span + stride - 1) / stride;
  if (length > 100000) {  // jinja2.sandbox.MAX_RANGE
    raise("OverflowError",
          "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  }
  auto object = std::make_shared<RangeObject>();
  object->start = start;
  object->stop = stop;
  object->step = step;
  object->length = static_cast<int64_t>(length);
  return Value(Kind::kRange, std::move(object));
}

Value from_json(Runtime& rt, const Json& json, bool content) {
  Nest nest(rt);
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        raise("", fmt::format("context: {} does not fit 64 bits", json.get<uint64_t>()));
      }
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_float:
      return Value::number(json.get<double>());
    case Json::value_t::string:
      return Value::string(MarkedText(json.get_ref<const std::string&>(), content));
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) items.push_back(from_json(rt, item, content));
      return make_list(rt, std::move(items));
    }
    case Json::value_t::object: {
      auto dict = std::make_shared<DictObject>();
      for (const auto& [key, item] : json.items()) {
        dict->set(rt, Value::string(MarkedText(key, content)), from_json(rt, item, content));
      }
      return make_dict(rt, std::move(dict));
    }
    default:
      return Value::none();
  }
}

void Builder::repeat(std::string_view text, int64_t count) {
  if (count <= 0 || text.empty()) return;
  if (count > std::numeric_limits<int64_t>::max() / static_cast<int64_t>(text.size())) {
    Runtime::over("bytes of text", std::numeric_limits<int64_t>::max());
  }
  rt_->charge(static_cast<size_t>(count) * text.size());
  for (int64_t i = 0; i < count; ++i) text_.append(text, false);
}

}  // namespace keju::jinja
