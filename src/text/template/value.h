// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "text/template/marked_text.h"
#include "text/template/runtime.h"

namespace keju::jinja {

enum class Kind : uint8_t {
  kMissing,  // no value at all: an unset variable, an argument not given
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kView,  // what dict.keys(), values() and items() return
  kRange,
  kIterator,  // walked once: generators of map, select …
  kNamespace,
  kFunction,  // macros, globals and bound methods
  kLoop,
};

struct Object {
  virtual ~Object() = default;
  virtual void drop() {}  // cuts references to other values
  int nesting = 0;        // containers inside containers; bounded, so destruction cannot overflow
};

struct StringObject;
struct UndefinedObject;
struct SequenceObject;
struct DictObject;
struct ViewObject;
struct RangeObject;
struct IteratorObject;
struct NamespaceObject;
struct FunctionObject;
class LoopObject;

// A value of the template language, with the meaning that Python gives it. Values are immutable but
// for namespaces, loops and iterators. Copying shares.
class Value {
 public:
  Value() = default;
  Value(Kind kind, std::shared_ptr<Object> object) : kind_(kind), object_(std::move(object)) {}
  static Value none() { return Value(Kind::kNone, nullptr); }
  static Value boolean(bool b);
  static Value integer(int64_t i);
  static Value number(double d);
  static Value string(MarkedText text, bool markup = false);
  static Value string(std::string_view text) { return string(MarkedText(text)); }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool missing() const { return kind_ == Kind::kMissing; }
  bool undefined() const { return kind_ == Kind::kUndefined; }
  bool is_integer() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat; }

  bool as_bool() const { return int_ != 0; }
  int64_t as_int() const { return int_; }  // of a bool or an int
  double as_float() const { return kind_ == Kind::kFloat ? float_ : static_cast<double>(int_); }
  const StringObject& str() const;  // the object behind, by kind
  const MarkedText& text() const;
  const std::string& bytes() const { return text().bytes; }
  const SequenceObject& sequence() const;
  const DictObject& dict() const;
  const ViewObject& view() const;
  const RangeObject& range() const;
  const UndefinedObject& hint() const;
  const FunctionObject& function() const;
  IteratorObject& iterator() const;
  NamespaceObject& name_space() const;
  LoopObject& loop() const;
  const std::shared_ptr<Object>& object() const { return object_; }
  int nesting() const { return object_ ? object_->nesting : 0; }

 private:
  Kind kind_ = Kind::kMissing;
  union {
    int64_t int_ = 0;
    double float_;
  };
  std::shared_ptr<Object> object_;
};

struct StringObject : Object {
  MarkedText text;
  bool markup = false;  // Markup: joined with other text it escapes that text for HTML
  bool ascii = true;
  int64_t length = 0;  // code points
};

struct UndefinedObject : Object {
  std::string message;
  const char* error = "UndefinedError";
};

struct SequenceObject : Object {
  std::vector<Value> items;
  bool group = false;  // of groupby: also read as .grouper and .list
  void drop() override { items.clear(); }
};

struct ViewObject : Object {
  const char* type = "dict_items";
  std::vector<Value> items;
};

struct RangeObject : Object {
  int64_t start = 0, stop = 0, step = 1, length = 0;
  Value at(int64_t index) const { return Value::integer(start + index * step); }
};

// Ordered, keyed as Python keys: 1, 1.0 and True are one key.
struct DictObject : Object {
  std::vector<std::pair<Value, Value>> items;

  const Value* find(Runtime& rt, const Value& key) const;  // raises TypeError: unhashable
  const Value* find(std::string_view key) const;
  void set(Runtime& rt, const Value& key, Value value);
  void set(std::string_view key, Value value);
  void drop() override;

 private:
  int64_t position(Runtime& rt, const Value& key, size_t hash) const;
  void add(size_t hash, Value key, Value value);
  std::unordered_multimap<size_t, size_t> index_;  // hash to position
};

using Next = std::function<bool(Value&)>;  // false: no more

struct IteratorObject : Object {
  const char* type = "generator";
  Next next;
};

struct NamespaceObject : Object {
  DictObject attributes;
  void drop() override { attributes.drop(); }
};

struct CallArgs {
  std::vector<Value> args;
  std::vector<std::pair<std::string, Value>> kwargs;
};

struct FunctionObject : Object {
  std::string name;
  const char* type = "function";
  std::string shown;                               // what str() gives
  std::vector<std::string> parameters;             // of a macro
  std::function<Value(Runtime&, CallArgs&)> call;  // empty: cannot be called
};

// What cycler() makes: its items in turn.
struct CyclerObject : FunctionObject {
  std::vector<Value> items;
  size_t position = 0;
};
// Null for any other value.
CyclerObject* as_cycler(const Value& value);

// What a for loop's body sees as `loop`.
class LoopObject : public Object {
 public:
  Next source;
  int64_t known_length = -1;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  bool ended = false;
  Value current, before, changed;
  std::function<Value(Runtime&, const Value&, int64_t)> recurse;

  bool next(Value& out);
  bool peek(Value* out);
  int64_t length(Runtime& rt);
  void drop() override;

 private:
  std::vector<Value> ahead_;  // items read early, last one next
};

// Makers. Containers are refused when they would nest deeper than the limit.
Value undefined(std::string message, const char* error = "UndefinedError");
Value undefined_name(std::string_view name);
Value make_list(Runtime& rt, std::vector<Value> items);
Value make_tuple(Runtime& rt, std::vector<Value> items);
Value make_dict(Runtime& rt, std::shared_ptr<DictObject> dict);
Value make_view(Runtime& rt, const char* type, std::vector<Value> items);
Value make_iterator(Runtime& rt, int nesting, Next next, const char* type = "generator");
Value make_range(Runtime& rt, int64_t start, int64_t stop, int64_t step);
Value from_json(Runtime& rt, const Json& json, bool content);
void check_nesting(Runtime& rt, int nesting);

// Text that grows within the budget.
class Builder {
 public:
  explicit Builder(Runtime& rt) : rt_(&rt) {}
  void append(std::string_view text, bool content = false) {
    rt_->charge(text.size());
    text_.append(text, content);
  }
  void append(const MarkedText& text) { append(text, 0, text.size()); }
  void append(const MarkedText& text, size_t begin, size_t end) {
    rt_->charge(end - begin);
    text_.append(text, begin, end);
  }
  void repeat(std::string_view text, int64_t count);
  Runtime& rt() const { return *rt_; }
  const MarkedText& text() const { return text_; }
  MarkedText take() {
    if (bad_part_.empty()) return std::move(text_);
    raise("TypeError", std::move(bad_part_));
  }
  // A part that is no text: take() will raise `what`, as the reference's last join does.
  void spoil(std::string what) {
    if (bad_part_.empty()) bad_part_ = std::move(what);
  }
  Value value(bool markup = false) { return Value::string(take(), markup); }

 private:
  Runtime* rt_;
  MarkedText text_;
  std::string bad_part_;
};

}  // namespace keju::jinja
