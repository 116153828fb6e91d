// SPDX-License-Identifier: MIT
#include "suite/archive.h"

#include <zlib.h>

#include <algorithm>

#include "base/error.h"

namespace keju {
namespace {

constexpr size_t kChunk = size_t{1} << 16;

// Unpacks one deflate stream; `window` as zlib's inflateInit2 takes it (negative: raw).
std::string inflate_all(std::string_view packed,
                        int window,
                        size_t limit,
                        const std::string& where) {
  z_stream stream{};
  if (inflateInit2(&stream, window) != Z_OK) throw std::bad_alloc();
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};
  std::string out;
  std::string chunk(kChunk, '\0');
  size_t taken = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0) {
      const size_t part = std::min<size_t>(packed.size() - taken, size_t{1} << 30);
      if (part == 0) throw fail(Code::kInput, "{}: found a cut-off archive, need it whole", where);
      // zlib does not write to its input; its type is older than const.
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));
      stream.avail_in = static_cast<uInt>(part);
      taken += part;
    }
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw fail(Code::kInput,
                 "{}: found damaged compressed data ({})",
                 where,
                 stream.msg == nullptr ? "no message" : stream.msg);
    }
    out.append(chunk.data(), chunk.size() - stream.avail_out);
    if (out.size() > limit) {
      throw fail(Code::kInput, "{}: found more than {} bytes unpacked", where, limit);
    }
  }
  return out;
}

uint32_t number(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

class ZipReader {
 public:
  ZipReader(std::string_view packed, const std::string& where) : packed_(packed), where_(where) {}

  std::vector<ArchivedFile> read() {
    constexpr std::string_view kEnd("PK\x05\x06", 4);
    const size_t end = packed_.rfind(kEnd);
    if (end == std::string_view::npos) damaged("no end of the directory");
    need(end, 22);
    const size_t count = number(packed_, end + 10, 2);
    size_t at = number(packed_, end + 16, 4);
    if (count == 0xFFFF || at == 0xFFFFFFFF) damaged("a ZIP64 archive, need a plain one");
    if (count > kArchiveFiles) damaged("too many files");
    std::vector<ArchivedFile> files;
    for (size_t i = 0; i < count; ++i) at = entry(at, files);
    return files;
  }

 private:
  [[noreturn]] void damaged(std::string_view what) const {
    throw fail(Code::kInput, "{}: zip: found {}", where_, what);
  }

  void need(size_t at, size_t size) const {
    if (at > packed_.size() || packed_.size() - at < size) damaged("an entry that is cut off");
  }

  // One entry of the directory; returns where the next one begins.
  size_t entry(size_t at, std::vector<ArchivedFile>& files) {
    need(at, 46);
    if (number(packed_, at, 4) != 0x02014B50) damaged("a damaged directory");
    const uint32_t flags = number(packed_, at + 8, 2), method = number(packed_, at + 10, 2);
    const uint32_t checksum = number(packed_, at + 16, 4);
    const size_t size = number(packed_, at + 20, 4), unpacked = number(packed_, at + 24, 4);
    const size_t name_size = number(packed_, at + 28, 2);
    const size_t next =
        at + 46 + name_size + number(packed_, at + 30, 2) + number(packed_, at + 32, 2);
    const size_t local = number(packed_, at + 42, 4);
    need(at + 46, name_size);
    const std::string path(packed_.substr(at + 46, name_size));
    if (path.ends_with('/')) return next;
    check_path(path);
    if ((flags & 1U) != 0) damaged("an encrypted file");
    need(local, 30);
    const size_t begin =
        local + 30 + number(packed_, local + 26, 2) + number(packed_, local + 28, 2);
    need(begin, size);
    total_ += unpacked;
    if (total_ > kArchiveBytes) damaged("more than it may hold unpacked");
    const std::string_view body = packed_.substr(begin, size);
    std::string content;
    if (method == 0) {
      content = body;
    } else if (method == 8) {
      content = inflate_all(body, -MAX_WBITS, unpacked, where_ + ":" + path);
    } else {
      damaged(fmt::format("compression method {}, need 0 or 8", method));
    }
    const uLong sum = crc32_z(
        0, reinterpret_cast<const Bytef*>(content.data()), static_cast<z_size_t>(content.size()));
    if (content.size() != unpacked || sum != checksum)
      damaged("a file that differs from its checksum");
    files.push_back({path, std::move(content)});
    return next;
  }

  void check_path(const std::string& path) const {
    const bool out = path.starts_with('/') || path.find('\\') != std::string::npos ||
                     path.starts_with("../") || path.find("/../") != std::string::npos ||
                     path.ends_with("/..") || path.find('\0') != std::string::npos;
    if (path.empty() || out) damaged("a path that leads out of it: " + path);
  }

  std::string_view packed_;
  const std::string& where_;
  size_t total_ = 0;
};

}  // namespace

std::string unzipped(std::string_view packed, const std::string& where) {
  return inflate_all(packed, MAX_WBITS + 16, kArchiveBytes, where);
}

std::vector<ArchivedFile> read_zip(std::string_view packed, const std::string& where) {
  return ZipReader(packed, where).read();
}

}  // namespace keju
