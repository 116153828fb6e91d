// SPDX-License-Identifier: MIT
#include "run/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace keju {

RunLock::RunLock(const std::filesystem::path& folder, const std::string& file) {
  const std::filesystem::path path = folder / file;
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) throw fail(Code::kIo, "{}: open: {}", path.string(), std::strerror(errno));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    char holder[32] = {};
    const ssize_t size = ::pread(fd_, holder, sizeof(holder) - 1, 0);
    ::close(fd_);
    if (error != EWOULDBLOCK) {
      throw fail(Code::kIo, "{}: lock: {}", path.string(), std::strerror(error));
    }
    throw fail(Code::kIo,
               "{}: lock: found process {} at work in this folder, need it alone. Wait for it or "
               "choose another --out",
               folder.string(),
               size > 0 ? std::string(holder, static_cast<size_t>(size)) : "(unknown)");
  }
  // For the message above only: a disk too full for it is no reason to stop.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd_, 0) == 0) (void)!::pwrite(fd_, pid.data(), pid.size(), 0);
}

RunLock::~RunLock() { ::close(fd_); }

}  // namespace keju
