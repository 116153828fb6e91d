// SPDX-License-Identifier: MIT
#include "tests/support/checkpoint_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <limits>

namespace keju {

std::string f32_bytes(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) out += raw(value);
  return out;
}

std::string f16_bytes(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) out += raw(f32_to_f16(value));
  return out;
}

std::string bf16_bytes(const std::vector<float>& values) {
  std::string out;
  for (const float value : values) out += raw(f32_to_bf16(value));
  return out;
}

// --- GGUF ---------------------------------------------------------------------------------------

std::string GgufWriter::string(std::string_view text) {
  return raw<uint64_t>(text.size()) + std::string(text);
}

uint32_t GgufWriter::type_number(DType type) {
  constexpr std::array<std::pair<DType, uint32_t>, 14> kNumbers = {{{DType::kF32, 0},
                                                                    {DType::kF16, 1},
                                                                    {DType::kQ4_0, 2},
                                                                    {DType::kQ4_1, 3},
                                                                    {DType::kQ5_0, 6},
                                                                    {DType::kQ5_1, 7},
                                                                    {DType::kQ8_0, 8},
                                                                    {DType::kQ2_K, 10},
                                                                    {DType::kQ3_K, 11},
                                                                    {DType::kQ4_K, 12},
                                                                    {DType::kQ5_K, 13},
                                                                    {DType::kQ6_K, 14},
                                                                    {DType::kIQ4_NL, 20},
                                                                    {DType::kBF16, 30}}};
  for (const auto& [known, number] : kNumbers) {
    if (known == type) return number;
  }
  return std::numeric_limits<uint32_t>::max();
}

void GgufWriter::value_of(std::string_view key, uint32_t type, std::string_view bytes) {
  ++keys_;
  key_bytes_ += string(key) + raw(type) + std::string(bytes);
}

void GgufWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = raw<uint32_t>(8) + raw<uint64_t>(values.size());
  for (const std::string& value : values) bytes += string(value);
  value_of(key, 9, bytes);
}

void GgufWriter::f32s(std::string_view key, const std::vector<float>& values) {
  value_of(key, 9, raw<uint32_t>(6) + raw<uint64_t>(values.size()) + f32_bytes(values));
}

void GgufWriter::i32s(std::string_view key, const std::vector<int32_t>& values) {
  std::string bytes = raw<uint32_t>(5) + raw<uint64_t>(values.size());
  for (const int32_t value : values) bytes += raw(value);
  value_of(key, 9, bytes);
}

void GgufWriter::tensor(const TensorToWrite& tensor) {
  data_.resize((data_.size() + alignment - 1) / alignment * alignment);
  const std::vector<uint64_t> axes(tensor.shape.rbegin(), tensor.shape.rend());
  tensor_header(tensor.name, axes, type_number(tensor.dtype), data_.size());
  data_ += tensor.data;
}

void GgufWriter::tensor_header(std::string_view name,
                               const std::vector<uint64_t>& axes,
                               uint32_t type,
                               uint64_t offset) {
  ++tensors_;
  tensor_bytes_ += string(name) + raw(static_cast<uint32_t>(axes.size()));
  for (const uint64_t axis : axes) tensor_bytes_ += raw(axis);
  tensor_bytes_ += raw(type) + raw(offset);
}

std::string GgufWriter::header() const {
  return "GGUF" + raw(version) + raw(tensors_) + raw(keys_) + key_bytes_ + tensor_bytes_;
}

std::string GgufWriter::bytes() const {
  std::string out = header();
  out.resize((out.size() + alignment - 1) / alignment * alignment);
  return out + data_;
}

// --- Safetensors --------------------------------------------------------------------------------

std::string safetensors_file(std::string_view header, std::string_view data) {
  return raw<uint64_t>(header.size()) + std::string(header) + std::string(data);
}

std::string safetensors_file(const std::vector<TensorToWrite>& tensors) {
  std::string header = R"({"__metadata__":{"format":"pt"})";
  std::string data;
  for (const TensorToWrite& tensor : tensors) {
    header += fmt::format(R"(,"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          tensor.name,
                          name(tensor.dtype),
                          fmt::join(tensor.shape, ","),
                          data.size(),
                          data.size() + tensor.data.size());
    data += tensor.data;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return safetensors_file(header, data);
}

// --- Zip and pickle -----------------------------------------------------------------------------

void ZipWriter::entry(std::string_view name, std::string_view data, Options options) {
  const auto bytes = static_cast<uint32_t>(data.size());
  const auto name_bytes = static_cast<uint16_t>(name.size());
  // The local header is 30 bytes; PyTorch pads with an extra field until data lies at 64n.
  const size_t begin = locals_.size() + 30 + name.size() + 4;
  const auto padding = static_cast<uint16_t>((64 - begin % 64) % 64);
  const std::string common = raw(options.flags) + raw(options.method) + raw<uint32_t>(0) +
                             raw<uint32_t>(0) + raw(bytes) + raw(bytes) + raw(name_bytes);
  directory_ += "PK\x01\x02" + raw<uint32_t>(0) + common + raw<uint16_t>(0) + raw<uint16_t>(0) +
                raw<uint64_t>(0) + raw(static_cast<uint32_t>(locals_.size())) + std::string(name);
  locals_ += "PK\x03\x04" + raw<uint16_t>(0) + common + raw(static_cast<uint16_t>(padding + 4)) +
             std::string(name) + "FB" + raw(padding) + std::string(padding, 'Z') +
             std::string(data);
  ++entries_;
}

std::string ZipWriter::bytes() const {
  const auto count = static_cast<uint16_t>(entries_);
  return locals_ + directory_ + "PK\x05\x06" + raw<uint32_t>(0) + raw(count) + raw(count) +
         raw(static_cast<uint32_t>(directory_.size())) +
         raw(static_cast<uint32_t>(locals_.size())) + raw<uint16_t>(0);
}

std::string ZipWriter::bytes64() const {
  const uint64_t record = locals_.size() + directory_.size();
  return locals_ + directory_ + "PK\x06\x06" + raw<uint64_t>(44) + raw<uint32_t>(0x001e001e) +
         raw<uint64_t>(0) + raw(entries_) + raw(entries_) + raw<uint64_t>(directory_.size()) +
         raw<uint64_t>(locals_.size()) + "PK\x06\x07" + raw<uint32_t>(0) + raw(record) +
         raw<uint32_t>(1) + "PK\x05\x06" + raw<uint32_t>(0) + raw<uint32_t>(0xffffffff) +
         raw<uint64_t>(0xffffffffffffffff) + raw<uint16_t>(0);
}

PickleWriter::PickleWriter()
    : bytes_(
          "\x80\x02"
          "ccollections\nOrderedDict\n)R(") {}

void PickleWriter::text(std::string_view value) {
  bytes_ += "X" + raw(static_cast<uint32_t>(value.size())) + std::string(value);
}

void PickleWriter::integer(int64_t value) {
  if (value >= std::numeric_limits<int32_t>::min() &&
      value <= std::numeric_limits<int32_t>::max()) {
    bytes_ += "J" + raw(static_cast<int32_t>(value));
  } else {
    bytes_ += "\x8a\x08" + raw(value);
  }
}

void PickleWriter::tensor(std::string_view name,
                          std::string_view storage_type,
                          std::string_view key,
                          int64_t storage_elements,
                          int64_t offset,
                          const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  text(name);
  op("ctorch._utils\n_rebuild_tensor_v2\n((");
  text("storage");
  op("ctorch\n" + std::string(storage_type) + "\n");
  text(key);
  text("cpu");
  integer(storage_elements);
  op("tQ");
  integer(offset);
  for (const std::vector<int64_t>* numbers : {&shape, &strides}) {
    op("(");
    for (const int64_t number : *numbers) integer(number);
    op("t");
  }
  op("\x89"
     "ccollections\nOrderedDict\n)RtR");
}

std::string PickleWriter::bytes() const { return bytes_ + "u."; }

std::string torch_file(const std::vector<TensorToWrite>& tensors) {
  PickleWriter pickle;
  std::map<std::string, std::string> storages;
  for (const TensorToWrite& tensor : tensors) {
    const std::string key = std::to_string(storages.size());
    int64_t elements = 1;
    std::vector<int64_t> strides(tensor.shape.size());
    for (size_t i = strides.size(); i > 0; --i) {
      strides[i - 1] = elements;
      elements *= tensor.shape[i - 1];
    }
    const std::string_view type = tensor.dtype == DType::kF32   ? "FloatStorage"
                                  : tensor.dtype == DType::kF16 ? "HalfStorage"
                                                                : "BFloat16Storage";
    pickle.tensor(tensor.name, type, key, elements, 0, tensor.shape, strides);
    storages[key] = tensor.data;
  }
  return torch_file(pickle.bytes(), storages);
}

std::string torch_file(std::string_view pickle,
                       const std::map<std::string, std::string>& storages) {
  ZipWriter zip;
  zip.entry("archive/data.pkl", pickle);
  zip.entry("archive/byteorder", "little");
  for (const auto& [key, data] : storages) zip.entry("archive/data/" + key, data);
  zip.entry("archive/version", "3\n");
  return zip.bytes();
}

}  // namespace keju
