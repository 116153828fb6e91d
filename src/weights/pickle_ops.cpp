// SPDX-License-Identifier: MIT
#include <array>

#include "base/error.h"
#include "weights/pickle_machine.h"

namespace keju {
namespace {

constexpr size_t kMaxMarks = 64;

constexpr std::string_view kOrdered = "collections OrderedDict";
constexpr std::string_view kRebuild = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kStoragePrefix = "torch ";

// Every global that a pickle may name. Storages of other types than weights have are known so that
// a message can name them.
constexpr std::array<std::string_view, 13> kGlobals = {kOrdered,
                                                       kRebuild,
                                                       "torch FloatStorage",
                                                       "torch HalfStorage",
                                                       "torch BFloat16Storage",
                                                       "torch DoubleStorage",
                                                       "torch LongStorage",
                                                       "torch IntStorage",
                                                       "torch ShortStorage",
                                                       "torch CharStorage",
                                                       "torch ByteStorage",
                                                       "torch BoolStorage",
                                                       "torch ComplexFloatStorage"};

}  // namespace

void PickleMachine::proto() {
  const auto version = in_.number<uint8_t>("PROTO");
  if (version >= 2 && version <= 5) return;
  throw fail(Code::kUnsupported, "{}: found pickle protocol {}, need 2 to 5", here(), version);
}

void PickleMachine::frame() {
  const auto bytes = in_.number<uint64_t>("FRAME");
  if (bytes <= in_.remaining()) return;
  throw fail(Code::kInput,
             "{}: FRAME: found {} bytes, need at most the {} that are left",
             here(),
             bytes,
             in_.remaining());
}

void PickleMachine::long1() {
  const auto bytes = in_.number<uint8_t>("LONG1");
  if (bytes > 8) {
    throw fail(Code::kInput, "{}: LONG1: found {} bytes, need at most 8", here(), bytes);
  }
  uint64_t value = 0;
  uint8_t last = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    last = in_.number<uint8_t>("LONG1");
    value |= uint64_t{last} << (8 * i);
  }
  if (bytes > 0 && bytes < 8 && last >= 0x80) value |= ~uint64_t{0} << (8 * bytes);
  push(PickleKind::kInt, static_cast<int64_t>(value));
}

void PickleMachine::text(uint64_t bytes) { push(PickleKind::kText, 0, in_.text(bytes, "string")); }

std::string_view PickleMachine::line() {
  constexpr uint64_t kMost = 256;
  const uint64_t begin = in_.offset();
  uint64_t bytes = 0;
  while (bytes < kMost && in_.number<uint8_t>("GLOBAL") != '\n') ++bytes;
  in_.seek(begin, "GLOBAL");
  const std::string_view out = in_.text(bytes, "GLOBAL");
  in_.take(1, "GLOBAL");
  return out;
}

void PickleMachine::global() {
  const std::string_view module = line();
  known_global(module, line());
}

void PickleMachine::stack_global() {
  const std::string_view name = at(pop(PickleKind::kText, "STACK_GLOBAL: name")).text;
  known_global(at(pop(PickleKind::kText, "STACK_GLOBAL: module")).text, name);
}

void PickleMachine::known_global(std::string_view module, std::string_view name) {
  for (const std::string_view known : kGlobals) {
    const size_t gap = known.find(' ');
    if (known.substr(0, gap) == module && known.substr(gap + 1) == name) {
      push(PickleKind::kGlobal, 0, known);
      return;
    }
  }
  throw fail(Code::kUnsupported,
             "{}: found global {} of module {}, need a dict of plain tensors. Nothing of a pickle "
             "is executed: convert the file to safetensors",
             here(),
             in_quotes(name),
             in_quotes(module));
}

void PickleMachine::mark() {
  if (marks_.size() >= kMaxMarks) {
    throw fail(Code::kInput, "{}: MARK: found more than {} open, need fewer", here(), kMaxMarks);
  }
  marks_.push_back(stack_.size());
}

void PickleMachine::tuple(size_t count) {
  std::vector<PickleIndex> items(count);
  for (size_t i = count; i > 0; --i) items[i - 1] = pop();
  push(PickleKind::kTuple, 0, {}, std::move(items));
}

// Sets items of the dict on top of the stack.
void PickleMachine::set_items(std::vector<PickleIndex> items) {
  const PickleIndex dict = pop();
  PickleValue& value = values_[dict];
  if ((value.kind != PickleKind::kDict && value.kind != PickleKind::kOrderedDict) ||
      items.size() % 2 != 0) {
    throw fail(Code::kInput,
               "{}: found {} and {} keys and values, need a dict and pairs",
               here(),
               pickle_kind_name(value.kind),
               items.size());
  }
  value.items.insert(value.items.end(), items.begin(), items.end());
  stack_.push_back(dict);
}

// ("storage", its type, its key, a device, its elements) becomes a storage.
void PickleMachine::persistent_id() {
  const std::vector<PickleIndex> items = at(pop(PickleKind::kTuple, "BINPERSID")).items;
  if (items.size() != 5 || need(items[0], PickleKind::kText, "BINPERSID: kind").text != "storage") {
    throw fail(
        Code::kUnsupported,
        "{}: BINPERSID: found a tuple of {}, need (\"storage\", type, key, device, elements)",
        here(),
        items.size());
  }
  const PickleValue& type = need(items[1], PickleKind::kGlobal, "BINPERSID: type");
  if (!type.text.starts_with(kStoragePrefix)) {
    throw fail(Code::kInput, "{}: BINPERSID: found {}, need a storage type", here(), type.text);
  }
  const PickleValue& key = need(items[2], PickleKind::kText, "BINPERSID: key");
  need(items[3], PickleKind::kText, "BINPERSID: device");
  push(PickleKind::kStorage,
       need(items[4], PickleKind::kInt, "BINPERSID: elements").number,
       key.text,
       {items[1]});
}

void PickleMachine::reduce() {
  const std::vector<PickleIndex> arguments = at(pop(PickleKind::kTuple, "REDUCE: arguments")).items;
  const std::string_view callee = at(pop(PickleKind::kGlobal, "REDUCE")).text;
  if (callee == kRebuild) {
    rebuild_tensor(arguments);
  } else if (callee == kOrdered && arguments.empty()) {
    push(PickleKind::kOrderedDict);
  } else {
    throw fail(Code::kUnsupported,
               "{}: REDUCE: found {} with {} arguments, need _rebuild_tensor_v2 or OrderedDict()",
               here(),
               callee,
               arguments.size());
  }
}

// _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks[, metadata]); what
// follows the strides does not change the values.
void PickleMachine::rebuild_tensor(const std::vector<PickleIndex>& arguments) {
  if (arguments.size() < 6 || arguments.size() > 7) {
    throw fail(Code::kInput,
               "{}: _rebuild_tensor_v2: found {} arguments, need 6 or 7",
               here(),
               arguments.size());
  }
  need(arguments[0], PickleKind::kStorage, "_rebuild_tensor_v2: storage");
  const int64_t offset = need(arguments[1], PickleKind::kInt, "_rebuild_tensor_v2: offset").number;
  need(arguments[2], PickleKind::kTuple, "_rebuild_tensor_v2: shape");
  need(arguments[3], PickleKind::kTuple, "_rebuild_tensor_v2: strides");
  push(PickleKind::kTensor, offset, {}, {arguments[0], arguments[2], arguments[3]});
}

// torch.nn.Module.state_dict hangs version numbers on its dict; nothing else may be hung anywhere.
void PickleMachine::build() {
  const PickleValue& state = at(pop(PickleKind::kDict, "BUILD: state"));
  const PickleIndex object = pop(PickleKind::kOrderedDict, "BUILD");
  for (size_t i = 0; i < state.items.size(); i += 2) {
    const std::string_view key = need(state.items[i], PickleKind::kText, "BUILD: name").text;
    if (key != "_metadata") {
      throw fail(Code::kUnsupported,
                 "{}: BUILD: found attribute {}, need \"_metadata\"",
                 here(),
                 in_quotes(key));
    }
  }
  stack_.push_back(object);
}

}  // namespace keju
