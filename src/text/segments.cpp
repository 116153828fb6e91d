// SPDX-License-Identifier: MIT
#include "text/segments.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/utf8.h"

namespace keju {
namespace {

bool continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// The last whole character of `text`; false if it ends with a part of one, or begins inside one.
bool last_character(std::string_view text, char32_t& code) {
  size_t begin = text.size() - 1;
  while (begin > 0 && continuation(text[begin])) --begin;
  size_t at = begin;
  code = next_code_point(text, at);
  return at == text.size() && (code != 0xFFFD || text.size() - begin == 3);
}

bool first_character(std::string_view text, char32_t& code) {
  size_t at = 0;
  code = next_code_point(text, at);
  return code != 0xFFFD || at == 3;
}

}  // namespace

void Junctions::add(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return allow_all();
  if (continuation(right.front())) return;  // inside a character, where nothing is ever cut
  char32_t last = 0;
  char32_t first = 0;
  if (last_character(left, last) && first_character(right, first)) {
    pending_.emplace_back(last, first);
  } else {
    partial_.set(static_cast<uint8_t>(left.back()) * 256u + static_cast<uint8_t>(right.front()));
  }
}

void Junctions::finish() {
  std::sort(pending_.begin(), pending_.end());
  pending_.erase(std::unique(pending_.begin(), pending_.end()), pending_.end());
  shift_ = 58;
  while (shift_ > 40 && (size_t{1} << (64 - shift_)) < pending_.size() * 32) --shift_;
  whole_.assign((size_t{1} << (64 - shift_)) / 64, 0);
  for (const auto& [left, right] : pending_) {
    const size_t bit = index(left, right);
    whole_[bit >> 6] |= uint64_t{1} << (bit & 63);
  }
  pending_.clear();
  pending_.shrink_to_fit();
}

SegmentCache& SegmentCache::of_thread(uint64_t serial) {
  struct Owned {
    uint64_t serial = 0;
    uint64_t used = 0;
    std::unique_ptr<SegmentCache> cache;
  };
  constexpr size_t kOwners = 4;
  thread_local std::vector<Owned> owned(kOwners);
  thread_local uint64_t clock = 0;
  Owned* oldest = owned.data();
  for (Owned& entry : owned) {
    if (entry.serial == serial) {
      entry.used = ++clock;
      return *entry.cache;
    }
    if (entry.used < oldest->used) oldest = &entry;
  }
  oldest->serial = serial;
  oldest->used = ++clock;
  oldest->cache = std::make_unique<SegmentCache>();
  return *oldest->cache;
}

uint64_t SegmentCache::new_serial() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace keju
