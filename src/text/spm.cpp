// SPDX-License-Identifier: MIT
#include "text/spm.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"

namespace keju {
namespace {

constexpr char32_t kBasicPlane = 0x10000;
constexpr size_t kLongestPiece = 1 << 14;  // bounds what one look-up may cost

struct ThreadScratch {
  std::vector<Symbol> symbols;
  MergeScratch merge;
};

bool ordinary(PieceType type) {
  return type == PieceType::kNormal || type == PieceType::kUserDefined ||
         type == PieceType::kUnused;
}

}  // namespace

PieceSet::PieceSet(const std::vector<Piece>& pieces, PieceOptions options, std::string_view where)
    : pieces_(pieces) {
  byte_ids_.fill(-1);
  table_.reserve(pieces.size(), text_of());
  for (TokenId id = 0; id < static_cast<TokenId>(pieces.size()); ++id) {
    const Piece& piece = pieces[static_cast<size_t>(id)];
    if (std::isnan(piece.score)) {
      throw fail(Code::kInput, "{}: piece {}: found score nan, need a number", where, id);
    }
    if (piece.type == PieceType::kUnknown && unk_ < 0) unk_ = id;
    if (piece.type == PieceType::kUnused) has_unused_ = true;
    if (piece.type == PieceType::kByte) {
      const int byte = byte_of_fallback(piece.text);
      if (byte < 0) {
        throw fail(Code::kInput,
                   "{}: byte piece {}: found \"{}\", need \"<0x00>\" to \"<0xFF>\"",
                   where,
                   id,
                   piece.text);
      }
      byte_ids_[static_cast<size_t>(byte)] = id;
    }
    if (!ordinary(piece.type) || piece.text.empty()) continue;
    if (!valid_utf8(piece.text) || piece.text.size() > kLongestPiece) {
      throw fail(Code::kInput,
                 "{}: piece {}: found {} bytes, need UTF-8 of at most {} bytes",
                 where,
                 id,
                 piece.text.size(),
                 kLongestPiece);
    }
    table_.insert(piece.text, id, text_of());
    longest_ = std::max(longest_, piece.text.size());
    if (options.match_user_defined && piece.type == PieceType::kUserDefined) {
      user_defined_.insert(piece.text, id, text_of());
      user_defined_sizes_.push_back(piece.text.size());
      user_defined_starts_[static_cast<uint8_t>(piece.text[0])] = true;
    }
  }
  std::sort(user_defined_sizes_.rbegin(), user_defined_sizes_.rend());
  user_defined_sizes_.erase(std::unique(user_defined_sizes_.begin(), user_defined_sizes_.end()),
                            user_defined_sizes_.end());
  byte_fallback_ =
      options.byte_fallback && std::find(byte_ids_.begin(), byte_ids_.end(), -1) == byte_ids_.end();
}

size_t PieceSet::user_defined_prefix(std::string_view text) const {
  if (text.empty() || !user_defined_starts_[static_cast<uint8_t>(text[0])]) return 0;
  for (const size_t size : user_defined_sizes_) {
    if (size <= text.size() && user_defined_.find(text.substr(0, size), text_of()) >= 0)
      return size;
  }
  return 0;
}

void PieceSet::append_unknown(std::string_view text, std::vector<TokenId>& out) const {
  if (byte_fallback_) {
    for (const char byte : text) out.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
  } else if (unk_ >= 0 && (out.empty() || out.back() != unk_)) {
    out.push_back(unk_);
  }
}

SpmBpe::SpmBpe(std::shared_ptr<const PieceSet> set)
    : pieces_(std::move(set)), serial_(SegmentCache::new_serial()) {
  const std::vector<Piece>& pieces = pieces_->pieces();
  std::vector<float> scores;
  for (const Piece& piece : pieces) scores.push_back(piece.score);
  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  for (const Piece& piece : pieces) {
    const auto at = std::lower_bound(scores.begin(), scores.end(), piece.score, std::greater<>());
    ranks_.push_back(static_cast<uint32_t>(at - scores.begin()));
    if (!ordinary(piece.type)) continue;
    for (size_t cut = 1; cut < piece.text.size(); ++cut) {
      if ((static_cast<uint8_t>(piece.text[cut]) & 0xC0) == 0x80) continue;
      const std::string_view text = piece.text;
      junctions_.add(text.substr(0, cut), text.substr(cut));
    }
  }
  // A run of unknown characters is one piece, and how an unused piece falls apart depends on the
  // whole text: neither may be cut.
  if (!pieces_->byte_fallback() || pieces_->has_unused()) junctions_.allow_all();
  junctions_.finish();
  characters_.assign(kBasicPlane, -1);
  for (char32_t code = 0; code < kBasicPlane; ++code) {
    std::string text;
    append_utf8(text, code);
    const TokenId id = pieces_->find(text);
    if (id >= 0 && (*pieces_)[id].type != PieceType::kUnused) characters_[code] = id;
  }
}

void SpmBpe::encode(std::string_view word, std::vector<TokenId>& out) const {
  SegmentCache& cache = SegmentCache::of_thread(serial_);
  for_each_segment(junctions_, word, [&](std::string_view part) {
    if (part.size() <= 3 && !part.empty()) {  // most often one character: no merge, no cache
      const char* after = part.data();
      const char32_t code = next_valid(after);
      if (after == part.data() + part.size() && code < kBasicPlane && characters_[code] >= 0)
        return out.push_back(characters_[code]);
    }
    if (part.size() > SegmentCache::kPayload) return encode_part(part, out);
    const uint64_t hash = SegmentCache::hash(part, 0);
    if (cache.find(part, 0, hash, out)) return;
    const size_t before = out.size();
    encode_part(part, out);
    cache.store(part, 0, hash, out.data() + before, out.size() - before);
  });
}

void SpmBpe::encode_part(std::string_view part, std::vector<TokenId>& out) const {
  thread_local ThreadScratch scratch;
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  for (const char* at = part.data(); at < part.data() + part.size();) {
    const auto begin = static_cast<size_t>(at - part.data());
    const size_t given = pieces_->user_defined_prefix(part.substr(begin));
    if (given > 0) {
      at += given;
    } else {
      next_valid(at);
    }
    const auto end = static_cast<size_t>(at - part.data());
    symbols.push_back({-1, static_cast<uint32_t>(begin), static_cast<uint32_t>(end), given > 0});
  }
  Splits splits;
  const bool keep_splits = pieces_->has_unused();
  const auto lookup = [&](const Symbol& left, const Symbol& right) -> Merge {
    if (left.frozen || right.frozen || right.end - left.begin > pieces_->longest()) return {};
    const TokenId id = pieces_->find(part.substr(left.begin, right.end - left.begin));
    if (id < 0) return {};
    if (keep_splits && (*pieces_)[id].type == PieceType::kUnused)
      splits[id] = left.end - left.begin;
    return {ranks_[static_cast<size_t>(id)], id};
  };
  merge_symbols(symbols, lookup, scratch.merge);
  for (const Symbol& symbol : symbols) {
    append(part.substr(symbol.begin, symbol.end - symbol.begin), splits, out);
  }
  if (symbols.capacity() > 1 << 14) scratch = {};
}

void SpmBpe::append(std::string_view text, const Splits& splits, std::vector<TokenId>& out) const {
  const TokenId id = pieces_->find(text);
  if (id < 0) return pieces_->append_unknown(text, out);
  if ((*pieces_)[id].type == PieceType::kUnused) {
    if (const auto split = splits.find(id); split != splits.end()) {
      append(text.substr(0, split->second), splits, out);
      append(text.substr(split->second), splits, out);
      return;
    }
  }
  out.push_back(id);
}

}  // namespace keju
