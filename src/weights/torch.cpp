// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "base/error.h"
#include "weights/bytes.h"
#include "weights/pickle.h"
#include "weights/tensor_file.h"
#include "weights/zip.h"

namespace keju {
namespace {

struct StorageType {
  std::string_view name;
  uint64_t bytes;
  std::string_view dtype;  // "" for what no weight is made of
  bool integer;
};
constexpr std::array<StorageType, 11> kStorages = {{{"FloatStorage", 4, "F32", false},
                                                    {"HalfStorage", 2, "F16", false},
                                                    {"BFloat16Storage", 2, "BF16", false},
                                                    {"DoubleStorage", 8, "", false},
                                                    {"ComplexFloatStorage", 8, "", false},
                                                    {"LongStorage", 8, "", true},
                                                    {"IntStorage", 4, "", true},
                                                    {"ShortStorage", 2, "", true},
                                                    {"CharStorage", 1, "", true},
                                                    {"ByteStorage", 1, "", true},
                                                    {"BoolStorage", 1, "", true}}};

const StorageType& storage_type(std::string_view name) {
  for (const StorageType& type : kStorages) {
    if (type.name == name) return type;
  }
  throw fail(Code::kBug, "storage type: found {}, need one that the pickle machine knows", name);
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Row-major without holes; strides of axes of one element do not matter.
bool contiguous(const PickledTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.shape.size(); i > 0; --i) {
    const int64_t axis = tensor.shape[i - 1];
    if (axis != 1 && tensor.strides[i - 1] != expected) return false;
    expected *= axis;
  }
  return true;
}

class TorchReader {
 public:
  TorchReader(std::span<const std::byte> bytes, const std::string& where)
      : where_(where), room_bytes_(bytes.size()), zip_(bytes, where) {}

  TensorFile read();

 private:
  const ZipEntry& pickle();
  void check_byte_order() const;
  void keep(const PickledTensor& tensor);
  std::span<const std::byte> storage(const PickledTensor& tensor, const StorageType& type) const;
  uint64_t count(const PickledTensor& tensor) const;
  const std::byte* rebuild(const PickledTensor& tensor,
                           std::span<const std::byte> storage,
                           uint64_t element_bytes,
                           uint64_t elements);
  std::string here(const PickledTensor& tensor) const {
    return fmt::format(
        "{}: {}data.pkl byte {}: tensor {}", where_, prefix_, tensor.at, in_quotes(tensor.name));
  }

  std::string where_;
  uint64_t room_bytes_;  // rebuilt tensors may take as much as the file, so that none explodes
  ZipArchive zip_;
  std::string prefix_;  // "archive/"
  TensorFile out_;
};

TensorFile TorchReader::read() {
  const ZipEntry& entry = pickle();
  check_byte_order();
  const std::string where = fmt::format("{}: {}data.pkl", where_, prefix_);
  for (const PickledTensor& tensor : read_pickle(entry.data, where)) keep(tensor);
  return std::move(out_);
}

const ZipEntry& TorchReader::pickle() {
  constexpr std::string_view kName = "data.pkl";
  const ZipEntry* found = nullptr;
  for (const ZipEntry& entry : zip_.entries()) {
    const bool inside = entry.name.ends_with("/data.pkl") &&
                        entry.name.find('/') == entry.name.size() - kName.size() - 1;
    if (!inside && entry.name != kName) continue;
    if (found != nullptr) {
      throw fail(Code::kInput,
                 "{}: found entries {} and {}, need one data.pkl",
                 where_,
                 in_quotes(found->name),
                 in_quotes(entry.name));
    }
    found = &entry;
  }
  if (found == nullptr) {
    throw fail(Code::kInput, "{}: found a zip archive without data.pkl, need one", where_);
  }
  prefix_ = found->name.substr(0, found->name.size() - kName.size());
  if (zip_.find(prefix_ + "constants.pkl") != nullptr) {
    throw fail(Code::kUnsupported,
               "{}: found a TorchScript program, need a dict of tensors. Save the state dict",
               where_);
  }
  return *found;
}

void TorchReader::check_byte_order() const {
  const ZipEntry* entry = zip_.find(prefix_ + "byteorder");
  if (entry == nullptr || as_text(entry->data) == "little") return;
  throw fail(Code::kUnsupported,
             "{}: byteorder: found {}, need \"little\"",
             where_,
             in_quotes(as_text(entry->data)));
}

std::span<const std::byte> TorchReader::storage(const PickledTensor& tensor,
                                                const StorageType& type) const {
  const std::string name = fmt::format("{}data/{}", prefix_, tensor.storage_key);
  const ZipEntry* entry = zip_.find(name);
  if (entry == nullptr) {
    throw fail(
        Code::kInput, "{}: found no entry {}, need its storage", here(tensor), in_quotes(name));
  }
  uint64_t bytes = 0;
  if (tensor.storage_elements < 0 ||
      !multiply(static_cast<uint64_t>(tensor.storage_elements), type.bytes, bytes) ||
      bytes != entry->data.size()) {
    throw fail(Code::kInput,
               "{}: found a storage of {} bytes, need {} elements of {}",
               here(tensor),
               entry->data.size(),
               tensor.storage_elements,
               type.name);
  }
  return entry->data;
}

// The tensor's elements, after checking that each lies in its storage.
uint64_t TorchReader::count(const PickledTensor& tensor) const {
  const Shape& shape = tensor.shape;
  uint64_t elements = 1;
  uint64_t last = static_cast<uint64_t>(tensor.offset);
  bool fits = tensor.offset >= 0;
  if (fits && std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    const auto axis = static_cast<uint64_t>(shape[i]);
    uint64_t reach = 0;
    fits = multiply(elements, axis, elements) &&
           multiply(axis - 1, static_cast<uint64_t>(tensor.strides[i]), reach) &&
           add(last, reach, last);
  }
  if (fits && last < static_cast<uint64_t>(tensor.storage_elements)) return elements;
  throw fail(Code::kInput,
             "{}: found shape {} with strides {} from element {}, need them inside its storage of "
             "{} elements",
             here(tensor),
             to_string(tensor.shape),
             to_string(tensor.strides),
             tensor.offset,
             tensor.storage_elements);
}

void TorchReader::keep(const PickledTensor& tensor) {
  if (!plausible_name(tensor.name, kMaxTensorName)) {
    throw fail(Code::kInput,
               "{}: found that name, need 1 to {} bytes of UTF-8 without control characters",
               here(tensor),
               kMaxTensorName);
  }
  const StorageType& type = storage_type(tensor.storage_type);
  if (type.dtype.empty() && !(type.integer && is_known_buffer(tensor.name))) {
    throw fail(Code::kUnsupported,
               "{}: type: found torch.{}, need FloatStorage, HalfStorage or BFloat16Storage",
               here(tensor),
               type.name);
  }
  const auto bytes = storage(tensor, type);
  const uint64_t elements = count(tensor);
  if (type.dtype.empty()) {
    out_.left_out.push_back({std::string(tensor.name), fmt::format("torch.{}", type.name)});
    return;
  }
  StoredTensor stored;
  stored.name = tensor.name;
  stored.dtype = *plain_dtype(type.dtype);
  stored.shape = tensor.shape;
  stored.bytes = elements * type.bytes;
  if (elements == 0) {
    stored.data = bytes.data();
  } else if (contiguous(tensor)) {
    stored.data = bytes.data() + static_cast<uint64_t>(tensor.offset) * type.bytes;
  } else {
    stored.data = rebuild(tensor, bytes, type.bytes, elements);
  }
  out_.tensors.push_back(std::move(stored));
}

const std::byte* TorchReader::rebuild(const PickledTensor& tensor,
                                      std::span<const std::byte> storage,
                                      uint64_t element_bytes,
                                      uint64_t elements) {
  uint64_t bytes = 0;
  if (!multiply(elements, element_bytes, bytes) || bytes > room_bytes_) {
    throw fail(Code::kInput,
               "{}: found shape {} with strides {}, need no more rebuilt bytes than the file has",
               here(tensor),
               to_string(tensor.shape),
               to_string(tensor.strides));
  }
  room_bytes_ -= bytes;
  std::vector<std::byte>& to = out_.owned.emplace_back(bytes);
  Shape index(tensor.shape.size(), 0);
  int64_t from = tensor.offset;
  for (uint64_t done = 0; done < bytes; done += element_bytes) {
    std::memcpy(to.data() + done,
                storage.data() + static_cast<uint64_t>(from) * element_bytes,
                element_bytes);
    for (size_t axis = index.size(); axis > 0; --axis) {
      const size_t i = axis - 1;
      if (tensor.shape[i] == 1) continue;  // its stride may be anything
      from += tensor.strides[i];
      if (++index[i] < tensor.shape[i]) break;
      from -= tensor.strides[i] * tensor.shape[i];
      index[i] = 0;
    }
  }
  return to.data();
}

}  // namespace

TensorFile read_torch(std::span<const std::byte> bytes, const std::string& where) {
  const std::string_view start = as_text(bytes.first(std::min<size_t>(bytes.size(), 4)));
  if (start.starts_with("\x80")) {
    throw fail(Code::kUnsupported,
               "{}: byte 0: found a bare pickle (PyTorch before 1.6), need PyTorch's zip format. "
               "Load it with PyTorch and save it again, or convert it to safetensors",
               where);
  }
  return TorchReader(bytes, where).read();
}

}  // namespace keju
