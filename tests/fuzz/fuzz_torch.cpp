// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/touch.h"
#include "weights/pickle.h"

// The bytes are read twice: as an archive, and as the pickle inside one, which mutations of an
// archive would seldom reach.
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = keju::fuzz_bytes(data, size);
  keju::fuzz_one([&] { keju::touch(keju::read_torch(bytes, "fuzz.bin")); });
  return keju::fuzz_one([&] { keju::read_pickle(bytes, "fuzz.pkl"); });
}
