// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/key_values.h"
#include "text/spm.h"
#include "text/vocab.h"

namespace keju {

// A byte-level vocabulary: ids 0 to 255 are the bytes, then one id per merge, then the specials.
struct SmallByteLevel {
  std::vector<std::string> tokens;
  std::vector<std::string> merges;
  std::vector<int64_t> types;

  SmallByteLevel(const std::vector<std::pair<std::string, std::string>>& pairs,
                 const std::vector<std::string>& specials) {
    for (int byte = 0; byte < 256; ++byte) {
      add(stand_ins_from_bytes(std::string(1, static_cast<char>(byte))), 1);
    }
    for (const auto& [left, right] : pairs) {
      add(stand_ins_from_bytes(left + right), 1);
      merges.push_back(stand_ins_from_bytes(left) + " " + stand_ins_from_bytes(right));
    }
    for (const std::string& special : specials) add(special, 3);
  }

  void add(const std::string& token, int64_t type) {
    tokens.push_back(token);
    types.push_back(type);
  }

  KeyValues metadata(const std::string& pre) const {
    KeyValues out("small.gguf");
    out.set("tokenizer.ggml.model", std::string("gpt2"));
    out.set("tokenizer.ggml.pre", pre);
    out.set("tokenizer.ggml.tokens", tokens);
    out.set("tokenizer.ggml.token_type", types);
    out.set("tokenizer.ggml.merges", merges);
    return out;
  }
};

// Writes sentencepiece_model.proto messages.
class ProtoWriter {
 public:
  ProtoWriter& number(uint32_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  ProtoWriter& text(uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtoWriter& real(uint32_t field, float value) {
    varint(field << 3 | 5);
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> (8 * i) & 0xFF);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    while (value > 0x7F) {
      bytes_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

struct SmallSpm {
  struct Entry {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Entry> pieces{{"<unk>", 0, PieceType::kUnknown},
                            {"<s>", 0, PieceType::kControl},
                            {"</s>", 0, PieceType::kControl}};
  uint64_t model_type = 2;  // BPE
  bool byte_fallback = false;
  bool dummy_prefix = true;
  bool remove_extra = true;
  std::string charsmap;

  void add_bytes() {
    byte_fallback = true;
    for (int byte = 0; byte < 256; ++byte) {
      pieces.push_back({fallback_of_byte(static_cast<uint8_t>(byte)), 0, PieceType::kByte});
    }
  }
  std::string bytes() const {
    ProtoWriter file;
    for (const Entry& piece : pieces) {
      ProtoWriter message;
      message.text(1, piece.text).real(2, piece.score).number(3, static_cast<uint64_t>(piece.type));
      file.text(1, message.bytes());
    }
    file.text(2, ProtoWriter().number(3, model_type).number(35, byte_fallback ? 1 : 0).bytes());
    ProtoWriter normalizer;
    normalizer.text(2, charsmap).number(3, dummy_prefix ? 1 : 0).number(4, remove_extra ? 1 : 0);
    file.text(3, normalizer.bytes());
    return file.bytes();
  }
};

// A folder of one test's own, removed with all that is in it.
class FileFolder {
 public:
  FileFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "keju-text-XXXXXX").string();
    KEJU_CHECK(::mkdtemp(name.data()) != nullptr, "no temporary folder");
    path_ = name;
  }
  ~FileFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  FileFolder(const FileFolder&) = delete;
  FileFolder& operator=(const FileFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(std::string_view name, std::string_view content) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// Runs `body` and returns the message of the Error that it throws ("" if none) with its code.
struct Caught {
  std::string message;
  Code code = Code::kBug;
};
template <typename Body>
Caught caught(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return {error.what(), error.code()};
  }
  return {};
}

}  // namespace keju
