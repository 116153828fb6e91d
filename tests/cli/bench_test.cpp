// SPDX-License-Identifier: MIT
// keju bench: its figures against arithmetic done by hand.

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "tests/cli/program.h"
#include "tests/support/require.h"

namespace keju {
namespace {

TEST(Bench, KernelsSaysHowFastAndHowFarFromTheBound) {
  const Output out =
      run("bench kernels --backend cpu --mode exact --threads 1 --filter 'Q8_0/1x' --json");
  ASSERT_EQ(out.code, 0) << out.text;
  const Json modes = parse_json(out.text, "bench")["modes"];
  ASSERT_EQ(modes.size(), 1u);
  const Json& mode = modes[0];
  EXPECT_EQ(mode["numeric_mode"], "cpu-exact-f32-r1");
  ASSERT_EQ(mode["products"].size(), 1u) << out.text;
  const Json& product = mode["products"][0];
  EXPECT_EQ(product["type"], "Q8_0");
  EXPECT_EQ(product["rows"], 1);
  const double gflops = product["gflops"].get<double>(), gbytes = product["gbytes"].get<double>();
  // A block of 32 weights has 34 bytes; a weight is two operations.
  EXPECT_NEAR(gbytes / gflops, 34.0 / 32 / 2, 1e-9);
  const double read = mode["bounds"]["read_gbytes"].get<double>();
  EXPECT_NEAR(product["of_bound"].get<double>(), gbytes / read, 1e-9);
  EXPECT_GT(read, 0);
}

TEST(Bench, UnknownPhasesAreUsageErrorsFoundBeforeAModelIsOpened) {
  const Output out = run("bench --model /nowhere.gguf --scenario phases --phases nope");
  EXPECT_EQ(out.code, 4) << out.text;
}

class BenchMode : public testing::TestWithParam<const char*> {};

TEST_P(BenchMode, WeightsStayOnceInMemory) {
  KEJU_NEED(models);
  const std::string mode = GetParam();
  const Output out =
      run("bench --backend cpu --scenario phases --phases prefill --repeat 1 "
          "--prompt-tokens 16 --json --mode " +
          mode + " --model " + model(kSmol));
  if (mode == "fast" && out.code == 6) GTEST_SKIP() << out.text;
  ASSERT_EQ(out.code, 0) << out.text;
  const Json result = parse_json(out.text, "bench");
  EXPECT_FALSE(result.contains("decode_tokens_per_s"));
#if !defined(__SANITIZE_ADDRESS__)  // whose own memory is not the program's
  const double ratio = result["memory_after_load"]["weights_over_chosen_form"].get<double>();
  EXPECT_LE(ratio, 1.15);
  EXPECT_GE(ratio, 0.9);  // they are there
#endif
  // 30 layers of width 576 with 9 heads of 64, 3 of keys and values, inner width 1,536; 49,152
  // tokens in the vocabulary; row t of 16 sees t + 1 positions. In the last layer keys and values
  // are of all rows, the rest of the one that goes through the head.
  const double keys_values = 2.0 * 576 * 192;
  const double rest = 2.0 * 576 * 576 + 3.0 * 576 * 1536;
  const double attention = (29.0 * 136 + 16) * 9 * (64 + 64);
  EXPECT_DOUBLE_EQ(result["bounds"]["prompt_flops"].get<double>(),
                   2 * (16 * (30 * keys_values + 29 * rest) + rest + attention + 49152.0 * 576));
}

INSTANTIATE_TEST_SUITE_P(Modes, BenchMode, testing::Values("exact", "fast"));

}  // namespace
}  // namespace keju
