// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/key_values.h"
#include "model/descriptor.h"
#include "weights/checkpoint.h"

namespace keju {

// The keys of a GGUF file under its architecture's name: integer("block_count") reads
// "llama.block_count". Errors as KeyValues.
class GgufKeys {
 public:
  explicit GgufKeys(const KeyValues& metadata)
      : metadata_(metadata), prefix_(metadata.string("general.architecture") + ".") {}

  bool has(std::string_view name) const { return metadata_.has(key(name)); }
  int64_t integer(std::string_view name) const { return metadata_.integer(key(name)); }
  int64_t integer(std::string_view name, int64_t otherwise) const {
    return metadata_.maybe_integer(key(name)).value_or(otherwise);
  }
  double number(std::string_view name) const { return metadata_.number(key(name)); }
  double number(std::string_view name, double otherwise) const {
    return metadata_.maybe_number(key(name)).value_or(otherwise);
  }
  bool boolean(std::string_view name, bool otherwise) const {
    return metadata_.maybe_boolean(key(name)).value_or(otherwise);
  }
  std::string string(std::string_view name, std::string otherwise) const {
    return metadata_.maybe_string(key(name)).value_or(std::move(otherwise));
  }
  const KeyValues& metadata() const { return metadata_; }
  std::string key(std::string_view name) const { return prefix_ + std::string(name); }

 private:
  const KeyValues& metadata_;
  std::string prefix_;
};

// Widths, heads, layers, eps, context and rope from the keys that every architecture shares, with
// one LayerSettings per layer and rope 0. Biases, tying and the vocabulary come from the tensors.
Descriptor common_descriptor(const KeyValues& metadata, std::string family);

// Experts from the shared keys.
void read_gguf_experts(const KeyValues& metadata, Descriptor& d);

// Where rows of q and k are stored in the order of consecutive pairs but only part of a head is
// rotated, they cannot be put back: such a model rotates consecutive pairs instead.
void set_permuted_rope(Descriptor& d);

// Sliding windows from "attention.sliding_window": in layers whose entry in the file's own pattern
// says so, else in all but every `pattern`th (1: in none, 0: in all).
void read_gguf_windows(const KeyValues& metadata, int64_t pattern, Descriptor& d);

// What a GGUF file's tensors say and its keys do not: biases, tying, vocabulary, rope tables,
// which layers are mixtures of experts.
// Errors: Error(kShape) for a rope table of the wrong length.
void describe_from_tensors(const Checkpoint& checkpoint, Descriptor& d);

}  // namespace keju
