// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights/bytes.h"
#include "weights/pickle.h"
#include "weights/pickle_names.h"

namespace keju {

enum class PickleKind {
  kNone,
  kBool,
  kInt,
  kText,
  kTuple,
  kDict,
  kOrderedDict,
  kGlobal,
  kStorage,
  kTensor
};

std::string_view pickle_kind_name(PickleKind kind);

using PickleIndex = uint32_t;  // of a value; equal indices are the same object

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t number = 0;              // kInt, kBool; kStorage: its elements; kTensor: its offset
  std::string_view text;           // kText; kGlobal: "torch FloatStorage"; kStorage: its key
  std::vector<PickleIndex> items;  // kTuple; dicts: key, value, key, value …; kStorage: its type;
                                   // kTensor: storage, shape, strides
  uint64_t at = 0;                 // of the opcode that made it
};

// The machine behind read_pickle: a stack, a memo and the values, which only grow.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> bytes, const std::string& where) : in_(bytes, where) {}

  std::vector<PickledTensor> run();

 private:
  bool step();  // false after STOP
  bool step_value(PickleOp op);
  bool step_memo(PickleOp op);
  bool step_container(PickleOp op);
  void proto();
  void frame();
  void long1();
  void text(uint64_t bytes);
  void global();
  void stack_global();
  std::string_view line();
  void known_global(std::string_view module, std::string_view name);
  void mark();
  void tuple(size_t count);
  void set_items(std::vector<PickleIndex> items);
  void persistent_id();
  void reduce();
  void rebuild_tensor(const std::vector<PickleIndex>& arguments);
  void build();
  void put(uint64_t slot);
  void get(uint64_t slot);

  void push(PickleKind kind,
            int64_t number = 0,
            std::string_view text = {},
            std::vector<PickleIndex> items = {});
  PickleIndex pop();
  PickleIndex pop(PickleKind kind, std::string_view what);
  std::vector<PickleIndex> pop_to_mark();
  const PickleValue& at(PickleIndex index) const { return values_[index]; }
  const PickleValue& need(PickleIndex index, PickleKind kind, std::string_view what) const;
  std::vector<int64_t> integers(PickleIndex index, std::string_view what) const;
  PickledTensor tensor(std::string_view name, PickleIndex index) const;
  std::string here() const { return fmt::format("{}: byte {}", in_.where(), op_at_); }

  ByteReader in_;
  uint64_t op_at_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleIndex> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleIndex> memo_;
};

}  // namespace keju
