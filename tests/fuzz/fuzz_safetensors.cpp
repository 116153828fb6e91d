// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/touch.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return keju::fuzz_one([&] {
    keju::touch(keju::read_safetensors(keju::fuzz_bytes(data, size), "fuzz.safetensors"));
  });
}
