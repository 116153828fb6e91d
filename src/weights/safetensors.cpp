// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "weights/bytes.h"
#include "weights/header_json.h"
#include "weights/tensor_file.h"

namespace keju {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's own limit
constexpr std::string_view kMetadata = "__metadata__";
constexpr size_t kMaxMetadata = size_t{1} << 16;

// Bits per element of every type that the format names, for messages and for left-out buffers.
struct SafeType {
  std::string_view name;
  uint64_t bytes;  // 0: packed below a byte
  bool integer;
};
constexpr std::array<SafeType, 20> kTypes = {
    {{"BOOL", 1, true},     {"U8", 1, true},   {"I8", 1, true},       {"U16", 2, true},
     {"I16", 2, true},      {"U32", 4, true},  {"I32", 4, true},      {"U64", 8, true},
     {"I64", 8, true},      {"F16", 2, false}, {"BF16", 2, false},    {"F32", 4, false},
     {"F64", 8, false},     {"C64", 8, false}, {"F8_E4M3", 1, false}, {"F8_E5M2", 1, false},
     {"F8_E8M0", 1, false}, {"F4", 0, false},  {"F6_E2M3", 0, false}, {"F6_E3M2", 0, false}}};

const SafeType* safe_type(std::string_view name) {
  for (const SafeType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

class SafetensorsReader {
 public:
  SafetensorsReader(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  TensorFile read() {
    header();
    place();
    return std::move(out_);
  }

 private:
  struct Entry {
    std::string name;
    const SafeType* type = nullptr;
    Shape shape;
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t at = 0;  // of its name in the file
  };

  void header();
  Error twice(std::string_view name, uint64_t at) const;
  void metadata(HeaderJson& json);
  Entry named(std::string name, uint64_t at) const;
  void entry(HeaderJson& json, std::string name, uint64_t at);
  void place();
  const SafeType& type_of(const Entry& entry, const std::string& spelling) const;
  void keep(const Entry& entry);
  std::string here(const Entry& entry) const {
    return fmt::format("{}: byte {}: tensor {}", where_, entry.at, in_quotes(entry.name));
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  uint64_t data_ = 0;
  std::vector<Entry> entries_;
  TensorFile out_;
};

void SafetensorsReader::header() {
  ByteReader in(bytes_, where_);
  const auto length = in.number<uint64_t>("header length");
  if (length > in.remaining() || length > kMaxHeader) {
    throw fail(Code::kInput,
               "{}: byte 0: header length: found {}, need at most {} in a file of {} bytes",
               where_,
               length,
               std::min(in.remaining(), kMaxHeader),
               bytes_.size());
  }
  HeaderJson json(in.text(length, "header"), where_, 8);
  data_ = in.offset();
  bool has_metadata = false;
  json.object("header", [&](std::string name, uint64_t at) {
    if (std::string_view(name) != kMetadata) {
      entry(json, std::move(name), at);
    } else if (std::exchange(has_metadata, true)) {
      throw twice(name, at);
    } else {
      metadata(json);
    }
  });
  json.end();
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::pair(std::string_view(a.name), a.at) < std::pair(std::string_view(b.name), b.at);
  });
  for (size_t i = 1; i < entries_.size(); ++i) {
    if (entries_[i].name == entries_[i - 1].name) throw twice(entries_[i].name, entries_[i].at);
  }
}

Error SafetensorsReader::twice(std::string_view name, uint64_t at) const {
  return fail(Code::kInput,
              "{}: byte {}: name {}: found it twice, need it once",
              where_,
              at,
              in_quotes(name));
}

void SafetensorsReader::metadata(HeaderJson& json) {
  std::unordered_set<std::string> names;
  json.object("__metadata__", [&](const std::string& name, uint64_t at) {
    if (!names.insert(name).second) throw twice("__metadata__." + name, at);
    if (names.size() > kMaxMetadata) {
      throw fail(Code::kInput,
                 "{}: byte {}: __metadata__: found more entries, need at most {}",
                 where_,
                 at,
                 kMaxMetadata);
    }
    json.string("__metadata__ value");
  });
}

SafetensorsReader::Entry SafetensorsReader::named(std::string name, uint64_t at) const {
  if (!plausible_name(name, kMaxTensorName)) {
    throw fail(Code::kInput,
               "{}: byte {}: tensor name: found {}, need 1 to {} bytes of UTF-8 without control "
               "characters",
               where_,
               at,
               in_quotes(name),
               kMaxTensorName);
  }
  Entry entry;
  entry.at = at;
  entry.name = std::move(name);
  if (entries_.size() < kMaxTensorsPerFile) return entry;
  throw fail(
      Code::kInput, "{}: found more tensors, need at most {}", here(entry), kMaxTensorsPerFile);
}

void SafetensorsReader::entry(HeaderJson& json, std::string name, uint64_t at) {
  Entry entry = named(std::move(name), at);
  bool dtype = false;
  bool shape = false;
  std::vector<uint64_t> offsets;
  const auto once = [&](bool seen, std::string_view member) {
    if (seen) throw fail(Code::kInput, "{}: found {} twice, need it once", here(entry), member);
  };
  json.object("tensor", [&](const std::string& member, uint64_t) {
    if (member == "dtype") {
      once(std::exchange(dtype, true), member);
      entry.type = &type_of(entry, json.string("dtype"));
    } else if (member == "shape") {
      once(std::exchange(shape, true), member);
      for (const uint64_t axis : json.integers("shape", kMaxAxes)) {
        entry.shape.push_back(static_cast<int64_t>(axis));
      }
    } else if (member == "data_offsets") {
      once(!offsets.empty(), member);
      offsets = json.integers("data_offsets", 2);
      if (offsets.size() != 2) {
        throw fail(Code::kInput,
                   "{}: data_offsets: found {} numbers, need 2",
                   here(entry),
                   offsets.size());
      }
    } else {
      throw fail(Code::kInput,
                 "{}: found member {}, need dtype, shape and data_offsets",
                 here(entry),
                 in_quotes(member));
    }
  });
  if (!dtype || !shape || offsets.empty()) {
    throw fail(Code::kInput,
               "{}: found no {}, need dtype, shape and data_offsets",
               here(entry),
               !dtype   ? "dtype"
               : !shape ? "shape"
                        : "data_offsets");
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  entries_.push_back(std::move(entry));
}

// The type, if it is one that weights or known buffers have.
const SafeType& SafetensorsReader::type_of(const Entry& entry, const std::string& spelling) const {
  const SafeType* type = safe_type(spelling);
  if (type != nullptr && plain_dtype(type->name)) return *type;
  if (type != nullptr && type->integer && is_known_buffer(entry.name)) return *type;
  throw fail(Code::kUnsupported,
             "{}: dtype: found {}, need F32, F16 or BF16",
             here(entry),
             type == nullptr ? in_quotes(spelling) : spelling);
}

// The tensors must tile the data section: no gap, no overlap, nothing left over.
void SafetensorsReader::place() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const uint64_t room = bytes_.size() - data_;
  uint64_t expected = 0;
  for (const Entry& entry : entries_) {
    if (entry.end < entry.begin || entry.end > room) {
      throw fail(Code::kInput,
                 "{}: data_offsets: found [{}, {}], need them in order and inside the data's {} "
                 "bytes. The file may be cut short",
                 here(entry),
                 entry.begin,
                 entry.end,
                 room);
    }
    if (entry.begin != expected) {
      throw fail(Code::kInput,
                 "{}: data_offsets: found a begin of {}, need {}, where the tensor before it ends",
                 here(entry),
                 entry.begin,
                 expected);
    }
    expected = entry.end;
    keep(entry);
  }
  if (expected != room) {
    throw fail(Code::kInput,
               "{}: byte {}: data: found {} bytes after the last tensor, need none",
               where_,
               data_ + expected,
               room - expected);
  }
}

void SafetensorsReader::keep(const Entry& entry) {
  const SafeType& type = *entry.type;
  uint64_t bytes = type.bytes;
  bool fits = true;
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  for (const int64_t axis : entry.shape) {
    fits = fits && multiply(bytes, static_cast<uint64_t>(axis), bytes);
  }
  if (empty) bytes = 0;
  if ((!fits && !empty) || bytes != entry.end - entry.begin) {
    throw fail(Code::kInput,
               "{}: found {} bytes by data_offsets, need what shape {} of {} takes",
               here(entry),
               entry.end - entry.begin,
               to_string(entry.shape),
               type.name);
  }
  const auto dtype = plain_dtype(type.name);
  if (!dtype) {
    out_.left_out.push_back({entry.name, std::string(type.name)});
    return;
  }
  StoredTensor tensor;
  tensor.name = entry.name;
  tensor.dtype = *dtype;
  tensor.shape = entry.shape;
  tensor.data = bytes_.data() + data_ + entry.begin;
  tensor.bytes = bytes;
  out_.tensors.push_back(std::move(tensor));
}

}  // namespace

TensorFile read_safetensors(std::span<const std::byte> bytes, const std::string& where) {
  return SafetensorsReader(bytes, where).read();
}

}  // namespace keju
