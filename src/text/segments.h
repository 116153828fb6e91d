// SPDX-License-Identifier: MIT
#pragma once

#include <bitset>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "text/hash.h"
#include "text/tokenizer.h"

namespace keju {

// Which boundaries between characters a merge may ever cross. Where none can, a word falls into
// parts that do not influence each other, so the parts may be encoded (and cached) apart. The
// answer may be "yes" too often, never "no" too often.
class Junctions {
 public:
  // A merge joins `left` and `right` (any bytes).
  void add(std::string_view left, std::string_view right);
  void finish();  // after the last add
  void allow_all() { all_ = true; }

  bool cuts_anywhere() const { return !all_; }
  bool crossable(char32_t left, char32_t right, char left_byte, char right_byte) const {
    const size_t bit = index(left, right);
    if ((whole_[bit >> 6] >> (bit & 63) & 1) != 0) return true;
    return partial(left_byte, right_byte);
  }
  // Whether a merge may cross where one side is not a whole character: last byte, first byte.
  bool partial(char left, char right) const {
    return partial_[static_cast<uint8_t>(left) * 256u + static_cast<uint8_t>(right)];
  }

 private:
  size_t index(char32_t left, char32_t right) const {
    return static_cast<size_t>(mix64(left, right) >> shift_);
  }
  bool all_ = false;
  int shift_ = 58;
  std::vector<uint64_t> whole_ = std::vector<uint64_t>(1);
  std::bitset<65536> partial_;
  std::vector<std::pair<char32_t, char32_t>> pending_;
};

// Text to ids for short texts: a direct-mapped table of one cache line per entry, one table per
// thread and owner. Forgets on collision; never allocates after its first use.
class SegmentCache {
 public:
  static constexpr size_t kPayload = 56;
  static constexpr size_t kEntries = 1 << 15;

  struct alignas(64) Entry {
    uint32_t tag;
    uint8_t size;   // bytes of the key; 0 marks an empty entry
    uint8_t count;  // ids
    uint16_t kind;
    char payload[kPayload];  // ids, then the key
  };

  SegmentCache() : entries_(kEntries) {}

  // The calling thread's cache for the owner with this serial number.
  static SegmentCache& of_thread(uint64_t serial);
  static uint64_t new_serial();

  static uint64_t hash(std::string_view key, uint16_t kind) {
    return hash_bytes(key.data(), key.size(), kind);
  }
  bool find(std::string_view key, uint16_t kind, uint64_t hash, std::vector<TokenId>& out) const {
    const Entry& entry = entries_[hash & (kEntries - 1)];
    if (entry.tag != static_cast<uint32_t>(hash >> 32) || entry.size != key.size() ||
        entry.kind != kind ||
        std::memcmp(entry.payload + entry.count * sizeof(TokenId), key.data(), key.size()) != 0) {
      return false;
    }
    for (size_t i = 0; i < entry.count; ++i) {
      TokenId id;
      std::memcpy(&id, entry.payload + i * sizeof(TokenId), sizeof id);
      out.push_back(id);
    }
    return true;
  }
  void store(std::string_view key, uint16_t kind, uint64_t hash, const TokenId* ids, size_t count) {
    if (key.empty() || key.size() + count * sizeof(TokenId) > kPayload) return;
    Entry& entry = entries_[hash & (kEntries - 1)];
    entry.tag = static_cast<uint32_t>(hash >> 32);
    entry.size = static_cast<uint8_t>(key.size());
    entry.count = static_cast<uint8_t>(count);
    entry.kind = kind;
    if (count > 0) std::memcpy(entry.payload, ids, count * sizeof(TokenId));
    std::memcpy(entry.payload + count * sizeof(TokenId), key.data(), key.size());
  }

 private:
  std::vector<Entry> entries_;
};

// The next code point of text that is known to be valid UTF-8.
inline char32_t next_valid(const char*& at) {
  const auto first = static_cast<uint8_t>(*at);
  const auto byte = [&at](int i) { return static_cast<uint32_t>(at[i]) & 0x3Fu; };
  if (first < 0x80) {
    ++at;
    return first;
  }
  char32_t code;
  if (first < 0xE0) {
    code = (first & 0x1Fu) << 6 | byte(1);
    at += 2;
  } else if (first < 0xF0) {
    code = (first & 0x0Fu) << 12 | byte(1) << 6 | byte(2);
    at += 3;
  } else {
    code = (first & 0x07u) << 18 | byte(1) << 12 | byte(2) << 6 | byte(3);
    at += 4;
  }
  return code;
}

// Calls piece(view) for each part of `word` between boundaries that nothing crosses.
template <typename Piece>
void for_each_segment(const Junctions& junctions, std::string_view word, const Piece& piece) {
  if (!junctions.cuts_anywhere() || word.size() < 2) return piece(word);
  const char* at = word.data();
  const char* const end = at + word.size();
  const char* begin = at;
  char32_t left = next_valid(at);
  while (at < end) {
    const char* const here = at;
    const char32_t right = next_valid(at);
    if (!junctions.crossable(left, right, here[-1], here[0])) {
      piece(std::string_view(begin, static_cast<size_t>(here - begin)));
      begin = here;
    }
    left = right;
  }
  piece(std::string_view(begin, static_cast<size_t>(end - begin)));
}

}  // namespace keju
