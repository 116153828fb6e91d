// SPDX-License-Identifier: MIT
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace keju {
namespace {

namespace fs = std::filesystem;

std::string reason(int error) { return std::generic_category().message(error); }

Error io(const fs::path& path, std::string_view what, int error) {
  return fail(Code::kIo, "{}: {}: {}", path.string(), what, reason(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int result = ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

int open_for_reading(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) throw io(path, "open", errno);
  return fd;
}

struct stat status_of(int fd, const fs::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw io(path, "stat", errno);
  if (S_ISDIR(status.st_mode)) {
    throw fail(Code::kIo, "{}: open: found a folder, need a file", path.string());
  }
  return status;
}

// A temporary that vanishes unless it was renamed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

void write_all(int fd, std::string_view content, const fs::path& path) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = ::write(fd, content.data() + done, content.size() - done);
    if (n > 0) {
      done += static_cast<size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      const int error = n == 0 ? EIO : errno;
      if (error == ENOSPC || error == EDQUOT) {
        throw fail(Code::kIo,
                   "{}: write: found room for {} bytes, need {} ({}). Free some space or write to "
                   "another disk",
                   path.string(),
                   done,
                   content.size(),
                   reason(error));
      }
      throw io(path, "write", error);
    }
  }
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const fs::path& path) {
  // Without O_NONBLOCK a named pipe would wait here for a writer.
  const Descriptor fd(open_for_reading(path, O_NONBLOCK));
  const struct stat status = status_of(fd.get(), path);
  if (!S_ISREG(status.st_mode)) {
    throw fail(Code::kIo, "{}: map: found a device or pipe, need a regular file", path.string());
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  const size_t size = static_cast<size_t>(status.st_size);
  if (size > 0) {
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (data == MAP_FAILED) throw io(path, "map", errno);
    file->data_ = static_cast<const std::byte*>(data);
    file->size_ = size;
  }
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::drop_pages(const std::byte* begin, size_t count) const {
  if (count == 0) return;
  KEJU_CHECK(begin >= data_ && begin <= data_ + size_ &&
                 count <= static_cast<size_t>(data_ + size_ - begin),
             "drop_pages outside of the map");
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t from = static_cast<size_t>(begin - data_);
  const size_t to = from + count;
  // Only whole pages: a neighbour may still need the rest of a shared one. Nothing follows the end.
  const size_t first = (from + page - 1) / page * page;
  const size_t last = to == size_ ? (to + page - 1) / page * page : to / page * page;
  if (first >= last) return;
  // Advice; a system that refuses it only keeps the pages.
  ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

std::string read_file(const fs::path& path) {
  const Descriptor fd(open_for_reading(path, 0));
  const struct stat status = status_of(fd.get(), path);
  std::string out;
  // One byte more than the file is said to have, so that its end shows without growing.
  size_t room = static_cast<size_t>(status.st_size) + 1;
  if (!S_ISREG(status.st_mode) || room < 4096) room = 4096;
  size_t size = 0;
  for (;;) {
    if (size == out.size()) out.resize(size == 0 ? room : size * 2);
    const ssize_t n = ::read(fd.get(), out.data() + size, out.size() - size);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw io(path, "read", errno);
    }
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  out.resize(size);
  return out;
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  static std::atomic<uint64_t> counter{0};
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const fs::path aside =
      folder / fmt::format(".{}.{}-{}.tmp", path.filename().string(), ::getpid(), ++counter);
  Descriptor fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd.get() < 0) throw io(path, "write", errno);
  Temporary temporary(aside);
  write_all(fd.get(), content, path);
  if (::fsync(fd.get()) != 0) throw io(path, "sync", errno);
  if (fd.close() != 0) throw io(path, "close", errno);
  if (::rename(aside.c_str(), path.c_str()) != 0) throw io(path, "rename", errno);
  temporary.keep();
  // The new name is durable only with its folder. The content is in place already, and some file
  // systems cannot sync a folder, so a refusal here is no failure of the write.
  const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() >= 0) (void)::fsync(parent.get());
}

}  // namespace keju
