// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/hash.h"
#include "text/tokenizer.h"

namespace keju {

// Strings to ids by open addressing. The strings themselves are the caller's: key_of(id) is the key
// that was inserted with `id`, for as long as the table is used.
class StringTable {
 public:
  template <typename KeyOf>
  void reserve(size_t entries, const KeyOf& key_of) {
    if (slots_.size() < entries * 2) place_all(entries * 2, key_of);
  }
  // False, with nothing changed, if the key is there already.
  template <typename KeyOf>
  bool insert(std::string_view key, TokenId id, const KeyOf& key_of) {
    if (find(key, key_of) >= 0) return false;
    if ((size_ + 1) * 2 > slots_.size()) place_all(slots_.size() * 2, key_of);
    place(hash_bytes(key.data(), key.size()), id);
    ++size_;
    return true;
  }
  // -1 if absent.
  template <typename KeyOf>
  TokenId find(std::string_view key, const KeyOf& key_of) const {
    const size_t mask = slots_.size() - 1;
    const uint64_t hash = hash_bytes(key.data(), key.size());
    const auto tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = hash & mask; slots_[at].id >= 0; at = (at + 1) & mask) {
      if (slots_[at].tag == tag && std::string_view(key_of(slots_[at].id)) == key) {
        return slots_[at].id;
      }
    }
    return -1;
  }

 private:
  struct Slot {
    uint32_t tag = 0;  // the upper half of the hash: most misses are seen here
    TokenId id = -1;   // -1: empty
  };
  void place(uint64_t hash, TokenId id) {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    while (slots_[at].id >= 0) at = (at + 1) & mask;
    slots_[at] = {static_cast<uint32_t>(hash >> 32), id};
  }
  template <typename KeyOf>
  void place_all(size_t least, const KeyOf& key_of) {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(std::bit_ceil(least)));
    for (const Slot& slot : old) {
      if (slot.id < 0) continue;
      const std::string_view key = key_of(slot.id);
      place(hash_bytes(key.data(), key.size()), slot.id);
    }
  }
  std::vector<Slot> slots_ = std::vector<Slot>(16);
  size_t size_ = 0;
};

// A vocabulary: the spelling of every id and the id of every spelling. Ids may have holes.
class Vocab {
 public:
  static constexpr TokenId kMaxId = (1 << 24) - 1;

  // Errors: Error(kInput) for an id out of range or taken by another spelling. A spelling that
  // occurs twice keeps its first id in `find`.
  void add(std::string_view spelling, TokenId id, std::string_view where);
  TokenId find(std::string_view spelling) const {
    return table_.find(spelling, [this](TokenId id) { return this->spelling(id); });
  }
  bool has(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < used_.size() && used_[static_cast<size_t>(id)];
  }
  std::string_view spelling(TokenId id) const { return spellings_[static_cast<size_t>(id)]; }
  int64_t size() const { return static_cast<int64_t>(spellings_.size()); }  // one above the last id

  // A copy of `text` that lasts as long as the vocabulary, and is no entry of it.
  std::string_view keep(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> arena_;
  size_t arena_left_ = 0;
  char* arena_next_ = nullptr;
  std::vector<std::string_view> spellings_;
  std::vector<bool> used_;
  StringTable table_;
};

// GPT-2's printable stand-ins for bytes ("Ġ" for a space). -1 for a code point that is none.
int byte_of_stand_in(char32_t code);
char32_t stand_in_of_byte(uint8_t byte);
// The bytes behind a spelling in stand-ins; false if it holds anything else.
bool bytes_from_stand_ins(std::string_view spelling, std::string& bytes);
std::string stand_ins_from_bytes(std::string_view bytes);

// The byte behind a spelling like "<0x0A>", or -1.
int byte_of_fallback(std::string_view spelling);
std::string fallback_of_byte(uint8_t byte);

}  // namespace keju
