// SPDX-License-Identifier: MIT
// Not a test of behaviour: what scripts/compare_tokenizers.sh runs. Disabled, so that a plain run
// of the tests leaves it out.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <sstream>

#include "base/mapped_file.h"
#include "tests/support/gguf_metadata.h"
#include "text/tokenizer.h"

namespace keju {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// KEJU_BENCH_TOKENIZER: a folder or file; KEJU_BENCH_TEXT: a file with one text per line break
// pair. Prints "BENCH bytes tokens seconds" (processor time of this thread) for one pass; the first
// pass, which fills the caches, comes first.
TEST(TokenizerBench, DISABLED_Measure) {
  const std::string path = variable("KEJU_BENCH_TOKENIZER");
  const std::string all = read_file(variable("KEJU_BENCH_TEXT"));
  const auto tokenizer = path.ends_with(".gguf") ? tokenizer_from_gguf(GgufMetadata::read(path))
                                                 : tokenizer_from_path(path);
  std::vector<std::string> texts;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find("\n\n", at), all.size());
    texts.push_back(all.substr(at, end - at));
    at = std::min(end + 2, all.size());
  }
  for (int pass = 0; pass < 3; ++pass) {
    size_t bytes = 0;
    size_t tokens = 0;
    std::vector<TokenId> ids;
    const double start = thread_seconds();
    for (const std::string& text : texts) {
      ids.clear();
      tokenizer->encode(text, ParseSpecial::kNo, ids);
      bytes += text.size();
      tokens += ids.size();
    }
    std::printf("BENCH %zu %zu %.6f\n", bytes, tokens, thread_seconds() - start);
  }
}

}  // namespace
}  // namespace keju
