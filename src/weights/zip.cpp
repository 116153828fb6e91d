// SPDX-License-Identifier: MIT
#include "weights/zip.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "weights/bytes.h"

namespace keju {
namespace {

constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kMaxComment = 65535;
constexpr uint64_t kLocatorBytes = 20;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kMaxEntries = uint64_t{1} << 18;
constexpr uint32_t kWide = 0xffffffff;  // "see the 64-bit field"
constexpr uint16_t kWideCount = 0xffff;

std::string method_name(uint16_t method) {
  constexpr std::array<std::pair<uint16_t, std::string_view>, 5> kNames = {
      {{8, "deflate"}, {9, "deflate64"}, {12, "bzip2"}, {14, "LZMA"}, {93, "Zstandard"}}};
  for (const auto& [number, name] : kNames) {
    if (number == method) return std::string(name);
  }
  return fmt::format("method {}", method);
}

}  // namespace

// One record of the central directory.
struct ZipArchive::Central {
  std::string_view name;
  std::string here;
  uint64_t stored_bytes = 0;
  uint64_t bytes = 0;
  uint64_t local = 0;
};

ZipArchive::ZipArchive(std::span<const std::byte> bytes, const std::string& where)
    : bytes_(bytes), where_(where) {
  const Directory found = directory();
  ByteReader in(bytes_.first(found.offset + found.bytes), where_);
  in.seek(found.offset, "central directory");
  if (found.entries > std::min(kMaxEntries, found.bytes / kCentralBytes)) {
    throw fail(Code::kInput,
               "{}: central directory: found {} entries in {} bytes, need at most {}",
               where_,
               found.entries,
               found.bytes,
               std::min(kMaxEntries, found.bytes / kCentralBytes));
  }
  std::vector<Place> places;
  for (uint64_t i = 0; i < found.entries; ++i) places.push_back(place(central(in), found));
  if (in.remaining() != 0) {
    throw fail(Code::kInput,
               "{}: central directory: found {} bytes after {} entries, need none",
               in.here(),
               in.remaining(),
               found.entries);
  }
  check_overlaps(std::move(places));
}

const ZipEntry* ZipArchive::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

ZipArchive::Directory ZipArchive::directory() const {
  const uint64_t size = bytes_.size();
  std::optional<uint64_t> end;
  for (uint64_t back = kEndBytes; back <= std::min(size, kEndBytes + kMaxComment); ++back) {
    ByteReader in(bytes_, where_);
    in.seek(size - back, "end record");
    if (in.text(4, "end record") != "PK\x05\x06") continue;
    in.seek(size - back + 20, "end record");
    if (in.number<uint16_t>("comment length") == back - kEndBytes) {
      end = size - back;
      break;
    }
  }
  if (!end) {
    throw fail(Code::kInput,
               "{}: found no end-of-directory record in the last {} bytes, need a whole zip "
               "archive. The file may be cut short",
               where_,
               std::min(size, kEndBytes + kMaxComment));
  }
  ByteReader in(bytes_, where_);
  in.seek(*end + 4, "end record");
  const auto disk = in.number<uint16_t>("disk");
  const auto first_disk = in.number<uint16_t>("first disk");
  const auto here = in.number<uint16_t>("entries on this disk");
  Directory out;
  out.entries = in.number<uint16_t>("entries");
  out.bytes = in.number<uint32_t>("directory size");
  out.offset = in.number<uint32_t>("directory offset");
  if (out.entries == kWideCount || out.bytes == kWide || out.offset == kWide) {
    out = directory64(*end);
  } else if (disk != 0 || first_disk != 0 || here != out.entries) {
    throw fail(Code::kUnsupported,
               "{}: byte {}: found an archive of several disks, need one file",
               where_,
               *end);
  }
  uint64_t finish = 0;
  if (!add(out.offset, out.bytes, finish) || finish > *end) {
    throw fail(Code::kInput,
               "{}: byte {}: found a directory of {} bytes at {}, need it before this record",
               where_,
               *end,
               out.bytes,
               out.offset);
  }
  return out;
}

ZipArchive::Directory ZipArchive::directory64(uint64_t end_record) const {
  ByteReader in(bytes_.first(end_record), where_);
  in.seek(end_record - std::min(end_record, kLocatorBytes), "zip64 locator");
  const std::string here = in.here();
  const std::string_view mark = in.text(4, "zip64 locator");
  if (mark != "PK\x06\x07") {
    throw fail(Code::kInput, "{}: found {}, need a zip64 locator", here, in_quotes(mark));
  }
  in.number<uint32_t>("disk");
  const auto record = in.number<uint64_t>("zip64 record offset");
  const auto disks = in.number<uint32_t>("disk count");
  if (disks > 1) {
    throw fail(Code::kUnsupported, "{}: found an archive of {} disks, need one file", here, disks);
  }
  in.seek(record, "zip64 record");
  if (in.text(4, "zip64 record") != "PK\x06\x06") {
    throw fail(Code::kInput, "{}: byte {}: found no zip64 record, need one", where_, record);
  }
  in.take(28, "zip64 record");  // its size, versions, disks and the entries of this disk
  Directory out;
  out.entries = in.number<uint64_t>("entries");
  out.bytes = in.number<uint64_t>("directory size");
  out.offset = in.number<uint64_t>("directory offset");
  return out;
}

ZipArchive::Central ZipArchive::central(ByteReader& in) const {
  Central out;
  out.here = in.here();
  const std::string_view mark = in.text(4, "directory entry");
  if (mark != "PK\x01\x02") {
    throw fail(Code::kInput, "{}: found {}, need a directory entry", out.here, in_quotes(mark));
  }
  in.take(4, "versions");
  const auto flags = in.number<uint16_t>("flags");
  const auto method = in.number<uint16_t>("method");
  in.take(8, "time and checksum");
  out.stored_bytes = in.number<uint32_t>("stored size");
  out.bytes = in.number<uint32_t>("size");
  const auto name_bytes = in.number<uint16_t>("name length");
  const auto extra_bytes = in.number<uint16_t>("extra length");
  const auto comment_bytes = in.number<uint16_t>("comment length");
  in.take(8, "disk and attributes");
  out.local = in.number<uint32_t>("local header offset");
  out.name = in.text(name_bytes, "entry name");
  const auto extra = in.take(extra_bytes, "extra field");
  in.take(comment_bytes, "entry comment");
  if ((flags & 1) != 0) {
    throw fail(Code::kUnsupported,
               "{}: entry {}: found it encrypted, need it plain",
               out.here,
               in_quotes(out.name));
  }
  if (method != 0) {
    throw fail(Code::kUnsupported,
               "{}: entry {}: found it compressed ({}), need it stored, as torch.save writes it",
               out.here,
               in_quotes(out.name),
               method_name(method));
  }
  wide_sizes(out, extra);
  if (out.stored_bytes != out.bytes) {
    throw fail(Code::kInput,
               "{}: entry {}: found {} stored bytes for {}, need as many",
               out.here,
               in_quotes(out.name),
               out.stored_bytes,
               out.bytes);
  }
  return out;
}

// Fills fields that did not fit 32 bits from the zip64 extra field.
void ZipArchive::wide_sizes(Central& entry, std::span<const std::byte> extra) const {
  constexpr uint16_t kZip64 = 1;
  if (entry.bytes != kWide && entry.stored_bytes != kWide && entry.local != kWide) return;
  const std::string where =
      fmt::format("{}: entry {}: extra field", entry.here, in_quotes(entry.name));
  ByteReader in(extra, where);
  while (in.remaining() >= 4) {
    const auto id = in.number<uint16_t>("field id");
    const auto bytes = in.number<uint16_t>("field length");
    ByteReader field(in.take(bytes, "field"), where);
    if (id != kZip64) continue;
    if (entry.bytes == kWide) entry.bytes = field.number<uint64_t>("size");
    if (entry.stored_bytes == kWide) entry.stored_bytes = field.number<uint64_t>("stored size");
    if (entry.local == kWide) entry.local = field.number<uint64_t>("local header offset");
    return;
  }
  throw fail(Code::kInput, "{}: found no zip64 sizes, need them", where);
}

// Follows a directory entry to its local header and data.
ZipArchive::Place ZipArchive::place(const Central& entry, const Directory& directory) {
  const std::string what = fmt::format("entry {}", in_quotes(entry.name));
  ByteReader in(bytes_.first(directory.offset), where_);
  in.seek(entry.local, what);
  const std::string here = in.here();
  const std::string_view mark = in.text(4, what);
  if (mark != "PK\x03\x04") {
    throw fail(Code::kInput, "{}: {}: found {}, need a local header", here, what, in_quotes(mark));
  }
  in.take(4, what);  // version and flags
  const auto method = in.number<uint16_t>(what);
  in.take(16, what);  // time, checksum and sizes: the directory's count
  const auto name_bytes = in.number<uint16_t>(what);
  const auto extra_bytes = in.number<uint16_t>(what);
  const std::string_view name = in.text(name_bytes, what);
  if (name != entry.name || method != 0) {
    throw fail(Code::kInput,
               "{}: {}: found {} ({}) in its local header, need the same as in the directory",
               here,
               what,
               in_quotes(name),
               method == 0 ? "stored" : method_name(method));
  }
  in.take(extra_bytes, what);
  const auto data = in.take(entry.bytes, what);
  if (!index_.emplace(entry.name, entries_.size()).second) {
    throw fail(Code::kInput, "{}: {}: found it twice, need it once", entry.here, what);
  }
  entries_.push_back({entry.name, data});
  return {entry.local, in.offset(), entries_.size() - 1};
}

void ZipArchive::check_overlaps(std::vector<Place> places) const {
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.begin < b.begin;
  });
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i].begin >= places[i - 1].end) continue;
    throw fail(Code::kInput,
               "{}: byte {}: entry {}: found it inside entry {}, need no overlap",
               where_,
               places[i].begin,
               in_quotes(entries_[places[i].entry].name),
               in_quotes(entries_[places[i - 1].entry].name));
  }
}

}  // namespace keju
