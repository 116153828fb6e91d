// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <unordered_set>

#include "base/error.h"
#include "weights/bytes.h"
#include "weights/ggml_types.h"
#include "weights/gguf_values.h"
#include "weights/tensor_file.h"

namespace keju {
namespace {

constexpr uint64_t kMaxKey = 65535;  // the specification's own limit
constexpr uint64_t kMaxKeys = uint64_t{1} << 16;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
constexpr uint32_t kMaxGgufAxes = 4;
// The shortest key (length, one letter, type, one byte) and tensor (length, one letter, axis count,
// one axis, type, offset).
constexpr uint64_t kLeastKeyBytes = 14;
constexpr uint64_t kLeastTensorBytes = 33;

std::string readable_types() {
  std::string out;
  for (const DTypeFacts& type : all_dtypes())
    out += (out.empty() ? "" : ", ") + std::string(type.name);
  return out;
}

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), in_(bytes, where), values_(in_) {
    out_.metadata = KeyValues(where);
  }

  TensorFile read() {
    header();
    for (uint64_t i = 0; i < keys_; ++i) key();
    for (uint64_t i = 0; i < tensors_; ++i) tensor();
    place();
    return std::move(out_);
  }

 private:
  struct Placed {
    uint64_t begin = 0;  // in the data section
    uint64_t header = 0;
    size_t tensor = 0;
  };

  void header();
  uint64_t count(std::string_view what, uint64_t least_bytes, uint64_t most);
  void key();
  void alignment(GgufType type);
  void tensor();
  Shape shape(const std::string& what);
  uint64_t sized(const StoredTensor& tensor, const std::string& what, const std::string& here);
  void place();
  std::string at(const Placed& placed) const;

  std::span<const std::byte> bytes_;
  ByteReader in_;
  GgufValueReader values_;
  TensorFile out_;
  uint64_t keys_ = 0;
  uint64_t tensors_ = 0;
  uint64_t alignment_ = 32;
  std::unordered_set<std::string_view> names_;
  std::vector<Placed> placed_;
};

void GgufReader::header() {
  const std::string_view magic = in_.text(4, "magic");
  if (magic == "FUGG") {
    throw fail(Code::kUnsupported,
               "{}: byte 0: found a big-endian GGUF file, need a little-endian one",
               in_.where());
  }
  if (magic != "GGUF") {
    throw fail(
        Code::kInput, "{}: byte 0: magic: found {}, need \"GGUF\"", in_.where(), in_quotes(magic));
  }
  const auto version = in_.number<uint32_t>("version");
  if (version != 0 && (version & 0xffff) == 0) {
    throw fail(Code::kUnsupported,
               "{}: byte 4: found a big-endian GGUF file (version {}), need a little-endian one",
               in_.where(),
               __builtin_bswap32(version));
  }
  if (version != 2 && version != 3) {
    throw fail(Code::kUnsupported,
               "{}: byte 4: version: found GGUF version {}, need 2 or 3",
               in_.where(),
               version);
  }
  tensors_ = count("tensor count", kLeastTensorBytes, kMaxTensorsPerFile);
  keys_ = count("key count", kLeastKeyBytes, kMaxKeys);
}

uint64_t GgufReader::count(std::string_view what, uint64_t least_bytes, uint64_t most) {
  const std::string here = in_.here();
  const auto found = in_.number<uint64_t>(what);
  const uint64_t limit = std::min(most, in_.remaining() / least_bytes);
  if (found <= limit) return found;
  throw fail(Code::kInput,
             "{}: {}: found {}, need at most {} in a file of {} bytes",
             here,
             what,
             found,
             limit,
             bytes_.size());
}

void GgufReader::key() {
  const std::string here = in_.here();
  const std::string_view key = values_.text(kMaxKey, "key");
  if (!plausible_name(key, kMaxKey)) {
    throw fail(Code::kInput,
               "{}: key: found {}, need 1 to {} bytes of UTF-8 without control characters",
               here,
               in_quotes(key),
               kMaxKey);
  }
  if (out_.metadata.has(key)) {
    throw fail(Code::kInput, "{}: key {}: found it twice, need it once", here, in_quotes(key));
  }
  values_.spend(key.size() + sizeof(KeyValue), key);
  const auto type = static_cast<GgufType>(in_.number<uint32_t>("value type"));
  if (key == "general.alignment") {
    alignment(type);
    out_.metadata.set(std::string(key), static_cast<int64_t>(alignment_));
  } else {
    out_.metadata.set(std::string(key), values_.value(type, key));
  }
}

void GgufReader::alignment(GgufType type) {
  if (type != GgufType::kU32) {
    throw fail(Code::kInput,
               "{}: key \"general.alignment\": found value type {}, need 4 (uint32)",
               in_.here(),
               static_cast<uint32_t>(type));
  }
  const std::string here = in_.here();
  alignment_ = in_.number<uint32_t>("alignment");
  if (!std::has_single_bit(alignment_) || alignment_ < 8 || alignment_ > kMaxAlignment) {
    throw fail(Code::kInput,
               "{}: key \"general.alignment\": found {}, need a power of two from 8 to {}",
               here,
               alignment_,
               kMaxAlignment);
  }
}

void GgufReader::tensor() {
  const std::string here = in_.here();
  const uint64_t header = in_.offset();
  StoredTensor tensor;
  const std::string_view name = values_.text(kMaxTensorName, "tensor name");
  if (!plausible_name(name, kMaxTensorName)) {
    throw fail(Code::kInput,
               "{}: tensor name: found {}, need 1 to {} bytes of UTF-8 without control characters",
               here,
               in_quotes(name),
               kMaxTensorName);
  }
  const std::string what = fmt::format("tensor {}", in_quotes(name));
  if (!names_.insert(name).second) {
    throw fail(Code::kInput, "{}: {}: found it twice, need it once", here, what);
  }
  tensor.name = name;
  tensor.shape = shape(what);
  const auto type = in_.number<uint32_t>(what);
  const auto dtype = ggml_dtype(type);
  if (!dtype) {
    throw fail(Code::kUnsupported,
               "{}: {}: type: found {}, need one of {}",
               here,
               what,
               ggml_type_name(type),
               readable_types());
  }
  tensor.dtype = *dtype;
  tensor.bytes = sized(tensor, what, here);
  const auto begin = in_.number<uint64_t>(what);
  if (begin % alignment_ != 0) {
    throw fail(Code::kInput,
               "{}: {}: found offset {}, need a multiple of the alignment, {}",
               here,
               what,
               begin,
               alignment_);
  }
  placed_.push_back({begin, header, out_.tensors.size()});
  out_.tensors.push_back(std::move(tensor));
}

Shape GgufReader::shape(const std::string& what) {
  const std::string here = in_.here();
  const auto axes = in_.number<uint32_t>(what);
  if (axes < 1 || axes > kMaxGgufAxes) {
    throw fail(Code::kInput, "{}: {}: found {} axes, need 1 to {}", here, what, axes, kMaxGgufAxes);
  }
  Shape shape(axes);
  for (uint32_t i = 0; i < axes; ++i) {
    const std::string axis_here = in_.here();
    const auto axis = in_.number<uint64_t>(what);
    if (axis < 1 || axis > uint64_t{std::numeric_limits<int64_t>::max()}) {
      throw fail(
          Code::kInput, "{}: {}: axis {}: found {}, need 1 to 2^63 - 1", axis_here, what, i, axis);
    }
    shape[axes - 1 - i] = static_cast<int64_t>(axis);
  }
  return shape;
}

uint64_t GgufReader::sized(const StoredTensor& tensor,
                           const std::string& what,
                           const std::string& here) {
  const DTypeFacts& type = facts(tensor.dtype);
  const auto row = static_cast<uint64_t>(tensor.shape.back());
  const auto block = static_cast<uint64_t>(type.block_elems);
  if (row % block != 0) {
    throw fail(Code::kInput,
               "{}: {}: found rows of {} values, need a multiple of {} for {}",
               here,
               what,
               row,
               block,
               type.name);
  }
  uint64_t bytes = row / block;
  bool fits = multiply(bytes, static_cast<uint64_t>(type.block_bytes), bytes);
  for (size_t i = 0; fits && i + 1 < tensor.shape.size(); ++i) {
    fits = multiply(bytes, static_cast<uint64_t>(tensor.shape[i]), bytes);
  }
  if (!fits || bytes > bytes_.size()) {
    throw fail(Code::kInput,
               "{}: {}: found shape {} of {}, need no more than the file's {} bytes",
               here,
               what,
               to_string(tensor.shape),
               type.name,
               bytes_.size());
  }
  return bytes;
}

std::string GgufReader::at(const Placed& placed) const {
  return fmt::format("{}: byte {}: tensor {}",
                     in_.where(),
                     placed.header,
                     in_quotes(out_.tensors[placed.tensor].name));
}

// Gives every tensor its address. Tensors may lie in any order and leave gaps, but not overlap.
void GgufReader::place() {
  const uint64_t padding = (alignment_ - in_.offset() % alignment_) % alignment_;
  // A file without tensors may end right after its header.
  const uint64_t data = std::min<uint64_t>(in_.offset() + padding, bytes_.size());
  const uint64_t room = bytes_.size() - data;
  std::sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
    return a.begin < b.begin;
  });
  uint64_t end = 0;
  const StoredTensor* before = nullptr;
  for (const Placed& placed : placed_) {
    StoredTensor& tensor = out_.tensors[placed.tensor];
    if (before != nullptr && placed.begin < end) {
      throw fail(Code::kInput,
                 "{}: found offset {} inside tensor {}, which ends at {}; need no overlap",
                 at(placed),
                 placed.begin,
                 in_quotes(before->name),
                 end);
    }
    if (placed.begin > room || tensor.bytes > room - placed.begin) {
      throw fail(Code::kInput,
                 "{}: found offset {} and {} bytes, need them inside the data's {} bytes. The file "
                 "may be cut short",
                 at(placed),
                 placed.begin,
                 tensor.bytes,
                 room);
    }
    tensor.data = bytes_.data() + data + placed.begin;
    end = placed.begin + tensor.bytes;
    before = &tensor;
  }
}

}  // namespace

TensorFile read_gguf(std::span<const std::byte> bytes, const std::string& where) {
  return GgufReader(bytes, where).read();
}

}  // namespace keju
