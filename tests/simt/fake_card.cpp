// SPDX-License-Identifier: MIT
// The program on cards made of the CPU: keju's own main and commands, with these two functions in
// place of the CUDA backend's. KEJU_FAKE_CARDS describes the cards, "" or unset: there is none.
//   cards=2 bytes=100000000 major=9 lost=300 fail=gemm:7 on=1
// `lost` and `fail` (see FakeRuntime::Settings) are of card `on`, else of the first.
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "kernels/cuda/backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/simt/fake_runtime.h"

namespace keju {
namespace {

struct Cards {
  int count = 0;
  int on = 0;
  cuda::FakeRuntime::Settings sound, failing;
};

int64_t number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  KEJU_CHECK(error == std::errc() && end == text.data() + text.size(), "KEJU_FAKE_CARDS: a number");
  return value;
}

Cards cards() {
  const char* const text = std::getenv("KEJU_FAKE_CARDS");
  Cards cards;
  if (text == nullptr || *text == 0) return cards;
  cards.count = 1;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t at = word.find('=');
    KEJU_CHECK(at != std::string::npos, "KEJU_FAKE_CARDS: name=value");
    const std::string name = word.substr(0, at);
    const std::string value = word.substr(at + 1);
    if (name == "cards") {
      cards.count = static_cast<int>(number(value));
    } else if (name == "on") {
      cards.on = static_cast<int>(number(value));
    } else if (name == "bytes") {
      cards.sound.total_bytes = cards.failing.total_bytes = number(value);
    } else if (name == "major") {
      cards.sound.major = cards.failing.major = static_cast<int>(number(value));
    } else if (name == "lost") {
      cards.failing.lost_at = number(value);
    } else if (name == "fail") {
      const size_t colon = value.find(':');
      cards.failing.fail_at[value.substr(0, colon)] = number(value.substr(colon + 1));
    } else {
      KEJU_CHECK(false, "KEJU_FAKE_CARDS: an unknown name");
    }
  }
  return cards;
}

}  // namespace

std::string cuda_absence() { return cards().count > 0 ? "" : "no GPU"; }
int cuda_device_count() { return cards().count; }

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  const Cards all = cards();
  auto settings = options.device == all.on ? all.failing : all.sound;
  settings.index = options.device;
  return std::make_unique<cuda::CudaBackend>(
      std::make_unique<cuda::FakeRuntime>(settings, std::make_shared<cuda::FakeRuntime::Record>()),
      options.exact,
      options.graphs);
}

}  // namespace keju
