// SPDX-License-Identifier: MIT
#include "text/bpe.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

constexpr uint16_t kPartKind = 0;
constexpr uint16_t kWordKind = 1;
constexpr size_t kLongestCachedWord = 24;

struct PairLookup {
  const PairTable& pairs;
  Merge operator()(const Symbol& left, const Symbol& right) const {
    return pairs.find(left.id, right.id);
  }
  void prefetch(const Symbol& left, const Symbol& right) const {
    pairs.prefetch(left.id, right.id);
  }
};

struct ThreadScratch {
  std::vector<Symbol> symbols;
  MergeScratch merge;
};

ThreadScratch& thread_scratch() {
  thread_local ThreadScratch scratch;
  return scratch;
}

// Long texts leave large buffers behind; a thread keeps no more than a few hundred kilobytes.
void trim(ThreadScratch& scratch) {
  if (scratch.symbols.capacity() <= 1 << 14) return;
  scratch = {};
}

}  // namespace

PairTable::PairTable(size_t expected) {
  size_t size = 64;
  while (size * 2 < expected * 3) size *= 2;
  slots_.resize(size);
  mask_ = size - 1;
}

void PairTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  count_ = 0;
  for (const Slot& slot : old) {
    if (slot.key == kEmpty) continue;
    set(static_cast<TokenId>(slot.key >> 32),
        static_cast<TokenId>(slot.key & UINT32_MAX),
        slot.merge);
  }
}

void PairTable::set(TokenId left, TokenId right, Merge merge) {
  if ((count_ + 1) * 4 > slots_.size() * 3) grow();
  const uint64_t key = key_of(left, right);
  size_t at = mix64(key, 0) & mask_;
  while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & mask_;
  if (slots_[at].key == kEmpty) ++count_;
  slots_[at] = {key, merge};
}

PairBpe::PairBpe(const Vocab& vocab, BpeOptions options, size_t expected_merges)
    : vocab_(vocab),
      options_(options),
      pairs_(expected_merges),
      serial_(SegmentCache::new_serial()) {
  byte_ids_.fill(-1);
  fallback_ids_.fill(-1);
  for (int byte = 0; byte < 256; ++byte) {
    const auto index = static_cast<size_t>(byte);
    fallback_ids_[index] = vocab.find(fallback_of_byte(static_cast<uint8_t>(byte)));
  }
  first_use_.assign(static_cast<size_t>(vocab.size()), Merge::kNone);
  for (TokenId id = 0; id < vocab.size(); ++id) known_.push_back(vocab.has(id));
  if (!options.byte_level) return;
  bytes_.resize(static_cast<size_t>(vocab.size()));
  const auto bytes_of = [this](TokenId id) { return text_of(id); };
  whole_.reserve(options.ignore_merges ? bytes_.size() : 0, bytes_of);
  for (TokenId id = 0; id < vocab.size(); ++id) {
    std::string& bytes = bytes_[static_cast<size_t>(id)];
    if (!vocab.has(id) || !bytes_from_stand_ins(vocab.spelling(id), bytes) || bytes.empty()) {
      bytes.clear();
      continue;
    }
    if (vocab.find(vocab.spelling(id)) != id) continue;
    if (bytes.size() == 1) byte_ids_[static_cast<uint8_t>(bytes[0])] = id;
    if (options.ignore_merges) whole_.insert(bytes, id, bytes_of);
  }
}

std::string_view PairBpe::text_of(TokenId id) const {
  return options_.byte_level ? std::string_view(bytes_[static_cast<size_t>(id)])
                             : vocab_.spelling(id);
}

void PairBpe::add_merge(std::string_view left, std::string_view right, std::string_view where) {
  const TokenId left_id = vocab_.find(left);
  const TokenId right_id = vocab_.find(right);
  const std::string joined = std::string(left) + std::string(right);
  const TokenId whole_id = vocab_.find(joined);
  if (left_id < 0 || right_id < 0 || whole_id < 0) {
    throw fail(Code::kInput,
               "{}: merge {}: found \"{}\", need a piece of the vocabulary",
               where,
               next_rank_,
               left_id < 0    ? left
               : right_id < 0 ? right
                              : std::string_view(joined));
  }
  add_merge_ids(left_id, right_id, {next_rank_++, whole_id});
}

void PairBpe::add_merge_ids(TokenId left, TokenId right, Merge merge) {
  pairs_.set(left, right, merge);
  for (const TokenId part : {left, right}) {
    uint32_t& first = first_use_[static_cast<size_t>(part)];
    first = std::min(first, merge.rank);
  }
  junctions_.add(text_of(left), text_of(right));
  // Merges of byte pieces join inside characters that the junctions know nothing of.
  if (!options_.byte_level && (byte_of_fallback(vocab_.spelling(left)) >= 0 ||
                               byte_of_fallback(vocab_.spelling(right)) >= 0)) {
    junctions_.allow_all();
  }
}

void PairBpe::finish() {
  const bool all_bytes = std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
  const bool all_fallback =
      std::find(fallback_ids_.begin(), fallback_ids_.end(), -1) == fallback_ids_.end();
  // Unknown characters are dropped or fused, which makes strangers neighbours.
  const bool no_unknown = options_.byte_level ? all_bytes || options_.unknown_parts
                                              : options_.byte_fallback && all_fallback;
  if (!no_unknown) junctions_.allow_all();
  junctions_.finish();
  if (options_.byte_level) find_characters();
  first_use_ = {};
}

void PairBpe::find_characters() {
  characters_.assign(0x10000, -1);
  for (char32_t byte = 0; byte < 0x80; ++byte) characters_[byte] = byte_ids_[byte];
  for (const std::string& bytes : bytes_) {
    size_t at = 0;
    if (bytes.size() < 2 || bytes.size() > 3) continue;
    const char32_t code = next_code_point(bytes, at);
    if (at == bytes.size()) characters_[code] = merged_alone(bytes);
  }
}

// The id that a character's bytes become, or -1 if they do not become one, or if a merge that uses
// it ranks before the last of its own.
TokenId PairBpe::merged_alone(std::string_view character) const {
  std::vector<TokenId> ids;
  for (const char byte : character) ids.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
  uint32_t last = 0;
  while (ids.size() > 1) {
    Merge best;
    size_t at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge merge = pairs_.find(ids[i], ids[i + 1]);
      if (merge.rank >= best.rank) continue;
      best = merge;
      at = i;
    }
    if (best.rank == Merge::kNone) return -1;
    last = std::max(last, best.rank);
    ids[at] = best.id;
    ids.erase(ids.begin() + static_cast<int64_t>(at) + 1);
  }
  return first_use_[static_cast<size_t>(ids[0])] > last ? ids[0] : -1;
}

TokenId PairBpe::in_model(std::string_view text) const {
  const TokenId id = vocab_.find(text);
  return id >= 0 && static_cast<size_t>(id) < known_.size() && known_[static_cast<size_t>(id)] ? id
                                                                                               : -1;
}

TokenId PairBpe::whole(std::string_view word) const {
  if (!options_.byte_level) return in_model(word);
  return whole_.find(word, [this](TokenId id) { return text_of(id); });
}

void PairBpe::encode(std::string_view word, std::vector<TokenId>& out) const {
  SegmentCache& cache = SegmentCache::of_thread(serial_);
  if (word.size() > kLongestCachedWord) {
    if (options_.ignore_merges) {
      if (const TokenId id = whole(word); id >= 0) return out.push_back(id);
    }
    return encode_parts(word, cache, out);
  }
  const uint64_t hash = SegmentCache::hash(word, kWordKind);
  if (cache.find(word, kWordKind, hash, out)) return;
  const size_t before = out.size();
  const TokenId id = options_.ignore_merges ? whole(word) : -1;
  if (id >= 0) {
    out.push_back(id);
  } else {
    encode_parts(word, cache, out);
  }
  cache.store(word, kWordKind, hash, out.data() + before, out.size() - before);
}

void PairBpe::encode_parts(std::string_view word,
                           SegmentCache& cache,
                           std::vector<TokenId>& out) const {
  for_each_segment(junctions_, word, [&](std::string_view part) {
    if (part.size() > SegmentCache::kPayload) return encode_part(part, out);
    const uint64_t hash = SegmentCache::hash(part, kPartKind);
    if (cache.find(part, kPartKind, hash, out)) return;
    const size_t before = out.size();
    encode_part(part, out);
    cache.store(part, kPartKind, hash, out.data() + before, out.size() - before);
  });
}

void PairBpe::encode_part(std::string_view part, std::vector<TokenId>& out) const {
  ThreadScratch& scratch = thread_scratch();
  scratch.symbols.clear();
  if (options_.byte_level) {
    byte_symbols(part, scratch.symbols);
  } else {
    char_symbols(part, scratch.symbols);
  }
  merge_symbols(scratch.symbols, PairLookup{pairs_}, scratch.merge);
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.id >= 0) out.push_back(symbol.id);
  }
  trim(scratch);
}

// Starts from whole characters where their own merges may be done first, else from bytes.
void PairBpe::byte_symbols(std::string_view part, std::vector<Symbol>& symbols) const {
  const char* const end = part.data() + part.size();
  bool unknown_before = false;
  bool cut_before = false;  // a merge may cross in front of the character with only a part of it
  for (const char* at = part.data(); at < end;) {
    auto begin = static_cast<uint32_t>(at - part.data());
    const char32_t code = next_valid(at);
    const auto after = static_cast<uint32_t>(at - part.data());
    const bool cut_after = at < end && junctions_.partial(at[-1], at[0]);
    const TokenId whole = code < 0x10000 && !cut_before && !cut_after ? characters_[code] : -1;
    cut_before = cut_after;
    if (whole >= 0) {
      symbols.push_back({whole, begin, after});
      unknown_before = false;
      continue;
    }
    for (; begin < after; ++begin) {
      const TokenId id = byte_ids_[static_cast<uint8_t>(part[begin])];
      if (id >= 0 || options_.unknown_parts) {
        symbols.push_back({id, begin, begin + 1});
      } else if (options_.unk && !(options_.fuse_unk && unknown_before)) {
        symbols.push_back({*options_.unk, begin, begin + 1});
      }
      unknown_before = id < 0;
    }
  }
}

bool PairBpe::fallback_symbols(std::string_view character, std::vector<Symbol>& symbols) const {
  if (!options_.byte_fallback) return false;
  for (const char byte : character) {
    if (fallback_ids_[static_cast<uint8_t>(byte)] < 0) return false;
  }
  for (const char byte : character)
    symbols.push_back({fallback_ids_[static_cast<uint8_t>(byte)], 0, 0});
  return true;
}

// As in the reference, an unknown character is held back until a known one (or the end) comes, so
// fallback ids of later characters may overtake it.
void PairBpe::char_symbols(std::string_view part, std::vector<Symbol>& symbols) const {
  bool held = false;
  const auto flush = [&] {
    if (held) symbols.push_back({*options_.unk, 0, 0});
    held = false;
  };
  const char* at = part.data();
  const char* const end = at + part.size();
  while (at < end) {
    const char* const begin = at;
    next_valid(at);
    const std::string_view character(begin, static_cast<size_t>(at - begin));
    const TokenId id = in_model(character);
    if (id >= 0) {
      flush();
      symbols.push_back({id, 0, 0});
    } else if (!fallback_symbols(character, symbols) && options_.unk) {
      if (!options_.fuse_unk) flush();
      held = true;
    }
  }
  flush();
  for (uint32_t i = 0; i < symbols.size(); ++i) {
    symbols[i].begin = i;
    symbols[i].end = i + 1;
  }
}

}  // namespace keju
