// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "suite/rows.h"

namespace keju {

// Checked rows on their way from a data file to the items that are made of them. All but the first
// few hundred kilobytes lie in a nameless temporary file (in $TMPDIR, else /var/tmp, else /tmp), so
// that memory does not grow with a data set, whatever its format, and a file that changes under a
// run changes none of its items. Threads: `row` may be called by several at once after `seal`.
// Errors: Error(kIo) where the temporary file can not be made, written or read.
class RowSpool {
 public:
  RowSpool() = default;
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  uint64_t add(const DataRow& row);  // where it lies, below 2^48
  void seal();                       // nothing more is added
  DataRow row(uint64_t place) const;

 private:
  void flush();
  void read(uint64_t place, char* into, size_t size) const;

  std::string waiting_;   // not in the file yet
  uint64_t written_ = 0;  // bytes in the file
  int file_ = -1;
};

}  // namespace keju
