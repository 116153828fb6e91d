// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

namespace keju {

// Holds a run folder for one writing process, for as long as the object lives; the system lets go
// of it when the process dies, however it dies. Errors: Error(kIo) with the holder's process id.
class RunLock {
 public:
  RunLock(const std::filesystem::path& folder, const std::string& file);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace keju
