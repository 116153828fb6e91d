// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace keju {

// Strings to ids by open addressing. Keys are views: what they point at must outlive the table.
class StringTable {
 public:
  StringTable() : slots_(16) {}
  void reserve(size_t entries);
  // False, with nothing changed, if the key is there already.
  bool insert(std::string_view key, TokenId id);
  TokenId find(std::string_view key) const;  // -1 if absent
  size_t size() const { return keys_.size(); }

 private:
  struct Slot {
    uint32_t tag = 0;  // the upper half of the hash: most misses are seen here
    uint32_t index = UINT32_MAX;
    bool empty() const { return index == UINT32_MAX; }
  };
  void grow();
  void place(uint64_t hash, uint32_t index);
  std::vector<Slot> slots_;
  std::vector<std::string_view> keys_;
  std::vector<TokenId> ids_;
};

// A vocabulary: the spelling of every id and the id of every spelling. Ids may have holes.
class Vocab {
 public:
  static constexpr TokenId kMaxId = (1 << 24) - 1;

  // Errors: Error(kInput) for an id out of range or taken by another spelling. A spelling that
  // occurs twice keeps its first id in `find`.
  void add(std::string_view spelling, TokenId id, std::string_view where);
  TokenId find(std::string_view spelling) const { return table_.find(spelling); }
  bool has(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < used_.size() && used_[static_cast<size_t>(id)];
  }
  std::string_view spelling(TokenId id) const { return spellings_[static_cast<size_t>(id)]; }
  int64_t size() const { return static_cast<int64_t>(spellings_.size()); }  // one above the last id

 private:
  std::string_view keep(std::string_view text);
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
