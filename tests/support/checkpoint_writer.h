// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dtype.h"

// Writers of small checkpoint files for tests. They write what they are told, right or wrong: a
// hostile file is a sound one with a lie in it. Files are byte strings.

namespace keju {

// The little-endian bytes of a number.
template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

std::string f32_bytes(const std::vector<float>& values);
std::string f16_bytes(const std::vector<float>& values);
std::string bf16_bytes(const std::vector<float>& values);

// One tensor, outermost axis first.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::string data;
};

// GGUF: keys and tensors in the order of the calls.
class GgufWriter {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;  // of offsets; the key is written only by `u32("general.alignment", …)`

  void u16(std::string_view key, uint16_t value) { value_of(key, 2, raw(value)); }
  void u32(std::string_view key, uint32_t value) { value_of(key, 4, raw(value)); }
  void i32(std::string_view key, int32_t value) { value_of(key, 5, raw(value)); }
  void f32(std::string_view key, float value) { value_of(key, 6, raw(value)); }
  void boolean(std::string_view key, bool value) { value_of(key, 7, raw<uint8_t>(value ? 1 : 0)); }
  void u64(std::string_view key, uint64_t value) { value_of(key, 10, raw(value)); }
  void text(std::string_view key, std::string_view value) { value_of(key, 8, string(value)); }
  void texts(std::string_view key, const std::vector<std::string>& values);
  void f32s(std::string_view key, const std::vector<float>& values);
  void i32s(std::string_view key, const std::vector<int32_t>& values);
  // Any value: its type number and its bytes.
  void value_of(std::string_view key, uint32_t type, std::string_view bytes);

  void tensor(const TensorToWrite& tensor);
  // A tensor's header with any content; axes are in the file's order, innermost first.
  void tensor_header(std::string_view name,
                     const std::vector<uint64_t>& axes,
                     uint32_t type,
                     uint64_t offset);
  void data(std::string_view bytes) { data_ += bytes; }

  std::string bytes() const;
  // The same up to the padding before the data.
  std::string header() const;

  static std::string string(std::string_view text);  // a length and its bytes
  static uint32_t type_number(DType type);

 private:
  uint64_t keys_ = 0;
  uint64_t tensors_ = 0;
  std::string key_bytes_;
  std::string tensor_bytes_;
  std::string data_;
};

// A safetensors file; `header` is its JSON as it is.
std::string safetensors_file(std::string_view header, std::string_view data);
std::string safetensors_file(const std::vector<TensorToWrite>& tensors);

// A zip archive of stored entries, with the fields that tests lie about.
class ZipWriter {
 public:
  struct Options {
    uint16_t method = 0;
    uint16_t flags = 0;
  };
  void entry(std::string_view name, std::string_view data) { entry(name, data, Options()); }
  void entry(std::string_view name, std::string_view data, Options options);
  std::string bytes() const;
  // With the counts of the directory in zip64 records, as PyTorch writes large files.
  std::string bytes64() const;

 private:
  std::string locals_;
  std::string directory_;
  uint64_t entries_ = 0;
};

// The opcodes of a pickle that builds a dict of tensors, as torch.save writes it.
class PickleWriter {
 public:
  PickleWriter();
  void tensor(std::string_view name,
              std::string_view storage_type,
              std::string_view key,
              int64_t storage_elements,
              int64_t offset,
              const std::vector<int64_t>& shape,
              const std::vector<int64_t>& strides);
  void op(std::string_view bytes) { bytes_ += bytes; }
  void integer(int64_t value);
  void text(std::string_view value);
  std::string bytes() const;  // with the end of the dict

 private:
  std::string bytes_;
};

// A PyTorch file of contiguous tensors, one storage each.
std::string torch_file(const std::vector<TensorToWrite>& tensors);
// The same from a pickle and its storages by key.
std::string torch_file(std::string_view pickle, const std::map<std::string, std::string>& storages);

}  // namespace keju
