// SPDX-License-Identifier: MIT
#include <array>
#include <unordered_set>

#include "base/error.h"
#include "weights/pickle_machine.h"

namespace keju {
namespace {

constexpr uint64_t kMaxPickle = uint64_t{16} << 20;
constexpr size_t kMaxValues = size_t{1} << 20;

}  // namespace

std::string_view pickle_kind_name(PickleKind kind) {
  constexpr std::array<std::string_view, 10> kNames = {"None",
                                                       "a boolean",
                                                       "an integer",
                                                       "a string",
                                                       "a tuple",
                                                       "a dict",
                                                       "an OrderedDict",
                                                       "a global",
                                                       "a storage",
                                                       "a tensor"};
  return kNames[static_cast<size_t>(kind)];
}

std::vector<PickledTensor> PickleMachine::run() {
  while (step()) {
  }
  if (stack_.size() != 1 || !marks_.empty() || in_.remaining() != 0) {
    throw fail(Code::kInput,
               "{}: STOP: found {} values, {} marks and {} more bytes, need one value and no more",
               here(),
               stack_.size(),
               marks_.size(),
               in_.remaining());
  }
  const PickleValue& whole = at(stack_.back());
  if (whole.kind != PickleKind::kDict && whole.kind != PickleKind::kOrderedDict) {
    throw fail(Code::kUnsupported,
               "{}: found {} at the top, need a dict of tensors",
               here(),
               pickle_kind_name(whole.kind));
  }
  std::unordered_set<std::string_view> names;
  std::vector<PickledTensor> out;
  for (size_t i = 0; i < whole.items.size(); i += 2) {
    const std::string_view name = need(whole.items[i], PickleKind::kText, "name of a tensor").text;
    if (!names.insert(name).second) {
      throw fail(Code::kInput,
                 "{}: tensor {}: found it twice, need it once",
                 in_.where(),
                 in_quotes(name));
    }
    out.push_back(tensor(name, whole.items[i + 1]));
  }
  return out;
}

PickledTensor PickleMachine::tensor(std::string_view name, PickleIndex index) const {
  const PickleValue& value = at(index);
  if (value.kind != PickleKind::kTensor) {
    throw fail(Code::kUnsupported,
               "{}: byte {}: {}: found {}, need a tensor. Save the state dict itself, without "
               "anything around it",
               in_.where(),
               value.at,
               in_quotes(name),
               pickle_kind_name(value.kind));
  }
  PickledTensor out;
  const PickleValue& storage = at(value.items[0]);
  out.name = name;
  out.storage_type = at(storage.items[0]).text.substr(std::string_view("torch ").size());
  out.storage_key = storage.text;
  out.storage_elements = storage.number;
  out.offset = value.number;
  out.shape = integers(value.items[1], "shape");
  out.strides = integers(value.items[2], "strides");
  out.at = value.at;
  if (out.shape.size() != out.strides.size() || out.shape.size() > kMaxAxes) {
    throw fail(Code::kInput,
               "{}: byte {}: tensor {}: found {} axes and {} strides, need as many, at most {}",
               in_.where(),
               value.at,
               in_quotes(name),
               out.shape.size(),
               out.strides.size(),
               kMaxAxes);
  }
  return out;
}

bool PickleMachine::step() {
  op_at_ = in_.offset();
  const auto byte = in_.number<uint8_t>("opcode");
  const auto op = static_cast<PickleOp>(byte);
  if (op == PickleOp::kStop) return false;
  if (step_value(op) || step_memo(op) || step_container(op)) return true;
  throw fail(Code::kUnsupported,
             "{}: found opcode {}, need one of those that a dict of tensors is built with",
             here(),
             pickle_op_name(byte));
}

bool PickleMachine::step_value(PickleOp op) {
  switch (op) {
    case PickleOp::kNone:
      push(PickleKind::kNone);
      return true;
    case PickleOp::kNewTrue:
    case PickleOp::kNewFalse:
      push(PickleKind::kBool, op == PickleOp::kNewTrue ? 1 : 0);
      return true;
    case PickleOp::kBinInt:
      push(PickleKind::kInt, in_.number<int32_t>("BININT"));
      return true;
    case PickleOp::kBinInt1:
      push(PickleKind::kInt, in_.number<uint8_t>("BININT1"));
      return true;
    case PickleOp::kBinInt2:
      push(PickleKind::kInt, in_.number<uint16_t>("BININT2"));
      return true;
    case PickleOp::kLong1:
      long1();
      return true;
    case PickleOp::kBinUnicode:
      text(in_.number<uint32_t>("BINUNICODE"));
      return true;
    case PickleOp::kShortBinUnicode:
      text(in_.number<uint8_t>("SHORT_BINUNICODE"));
      return true;
    case PickleOp::kGlobal:
      global();
      return true;
    case PickleOp::kStackGlobal:
      stack_global();
      return true;
    case PickleOp::kBinPersId:
      persistent_id();
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_memo(PickleOp op) {
  switch (op) {
    case PickleOp::kProto:
      proto();
      return true;
    case PickleOp::kFrame:
      frame();
      return true;
    case PickleOp::kBinPut:
      put(in_.number<uint8_t>("BINPUT"));
      return true;
    case PickleOp::kLongBinPut:
      put(in_.number<uint32_t>("LONG_BINPUT"));
      return true;
    case PickleOp::kMemoize:
      put(memo_.size());
      return true;
    case PickleOp::kBinGet:
      get(in_.number<uint8_t>("BINGET"));
      return true;
    case PickleOp::kLongBinGet:
      get(in_.number<uint32_t>("LONG_BINGET"));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_container(PickleOp op) {
  switch (op) {
    case PickleOp::kMark:
      mark();
      return true;
    case PickleOp::kEmptyTuple:
      tuple(0);
      return true;
    case PickleOp::kTuple1:
    case PickleOp::kTuple2:
    case PickleOp::kTuple3:
      tuple(static_cast<size_t>(op) - static_cast<size_t>(PickleOp::kTuple1) + 1);
      return true;
    case PickleOp::kTuple:
      push(PickleKind::kTuple, 0, {}, pop_to_mark());
      return true;
    case PickleOp::kEmptyDict:
      push(PickleKind::kDict);
      return true;
    case PickleOp::kSetItem: {
      const PickleIndex value = pop();
      const PickleIndex key = pop();
      set_items({key, value});
      return true;
    }
    case PickleOp::kSetItems:
      set_items(pop_to_mark());
      return true;
    case PickleOp::kReduce:
      reduce();
      return true;
    case PickleOp::kBuild:
      build();
      return true;
    default:
      return false;
  }
}

void PickleMachine::put(uint64_t slot) {
  const PickleIndex top = pop();
  stack_.push_back(top);
  memo_[slot] = top;
}

void PickleMachine::get(uint64_t slot) {
  const auto found = memo_.find(slot);
  if (found == memo_.end()) {
    throw fail(Code::kInput, "{}: found no memo {}, need it put before", here(), slot);
  }
  stack_.push_back(found->second);
}

void PickleMachine::push(PickleKind kind,
                         int64_t number,
                         std::string_view text,
                         std::vector<PickleIndex> items) {
  if (values_.size() >= kMaxValues) {
    throw fail(Code::kInput, "{}: found more than {} values, need fewer", here(), kMaxValues);
  }
  stack_.push_back(static_cast<PickleIndex>(values_.size()));
  values_.push_back({kind, number, text, std::move(items), op_at_});
}

PickleIndex PickleMachine::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
    throw fail(Code::kInput, "{}: found nothing on the stack, need a value", here());
  }
  const PickleIndex top = stack_.back();
  stack_.pop_back();
  return top;
}

PickleIndex PickleMachine::pop(PickleKind kind, std::string_view what) {
  const PickleIndex top = pop();
  need(top, kind, what);
  return top;
}

std::vector<PickleIndex> PickleMachine::pop_to_mark() {
  if (marks_.empty()) throw fail(Code::kInput, "{}: found no mark, need one", here());
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleIndex> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

const PickleValue& PickleMachine::need(PickleIndex index,
                                       PickleKind kind,
                                       std::string_view what) const {
  const PickleValue& value = at(index);
  if (value.kind == kind) return value;
  throw fail(Code::kUnsupported,
             "{}: {}: found {}, need {}",
             here(),
             what,
             pickle_kind_name(value.kind),
             pickle_kind_name(kind));
}

std::vector<int64_t> PickleMachine::integers(PickleIndex index, std::string_view what) const {
  std::vector<int64_t> out;
  for (const PickleIndex item : at(index).items) {
    const PickleValue& value = need(item, PickleKind::kInt, what);
    if (value.number < 0) {
      throw fail(Code::kInput,
                 "{}: byte {}: {}: found {}, need 0 or more",
                 in_.where(),
                 value.at,
                 what,
                 value.number);
    }
    out.push_back(value.number);
    if (out.size() > kMaxAxes) break;  // the caller refuses it
  }
  return out;
}

std::vector<PickledTensor> read_pickle(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() > kMaxPickle) {
    throw fail(
        Code::kInput, "{}: found {} bytes, need at most {}", where, bytes.size(), kMaxPickle);
  }
  return PickleMachine(bytes, where).run();
}

}  // namespace keju
