// SPDX-License-Identifier: MIT
// The checkpoints under tests/fixtures: safetensors and GGUF forms of tiny random models, with the
// logits that transformers 5.23 (or, for "slow-…", scripts/slow_family_models.py) computes.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "tests/model/run_model.h"

namespace keju {
namespace {

const std::filesystem::path kModels = "tests/fixtures/models";
const std::filesystem::path kGguf = "tests/fixtures/gguf";
constexpr double kLogprobTolerance = 2e-4;
constexpr std::string_view kRoundedInGguf[] = {"llama-3.1", "phi3-longrope"};

class CommittedModel : public testing::TestWithParam<std::string> {};

TEST_P(CommittedModel, AgreesWithItsReference) {
  const std::filesystem::path folder = kModels / GetParam();
  const Json expected = read_json(folder / "expected.json");
  for (const std::string& isa : exact_levels()) {
    RunModel model(folder.string(), isa);
    const Distance worst = distance(model, expected);
    EXPECT_LE(worst.logit, expected["max_abs_logit_error"].get<double>()) << isa;
    EXPECT_LE(worst.logprob, kLogprobTolerance) << isa;
  }
}

// Rows that nobody wants leave the last layer early; what is left has the bits it had among all.
TEST_P(CommittedModel, NeededRowsHaveTheBitsOfAll) {
  const Json expected = read_json(kModels / GetParam() / "expected.json");
  std::vector<int32_t> ids;
  for (const Json& test : expected["cases"]) {
    auto text = test["ids"].get<std::vector<int32_t>>();
    if (text.size() > ids.size()) ids = std::move(text);
  }
  const auto count = static_cast<int32_t>(ids.size());
  ASSERT_GE(count, 5);
  for (const std::string& isa : exact_levels()) {
    RunModel model((kModels / GetParam()).string(), isa);
    const std::vector<float> all = model.logits(ids);
    const auto vocab = static_cast<size_t>(model.descriptor().vocab);
    for (const std::vector<int32_t>& rows :
         {std::vector<int32_t>{count - 1}, {0}, {1, 2, 4}, {0, 2, 3, count - 1}}) {
      for (const int32_t step_rows : {count, 4}) {
        const std::vector<float> some = model.logits(ids, rows, step_rows);
        for (size_t r = 0; r < rows.size(); ++r) {
          const auto first = all.begin() + rows[r] * static_cast<int64_t>(vocab);
          EXPECT_TRUE(std::equal(first,
                                 first + static_cast<int64_t>(vocab),
                                 some.begin() + static_cast<int64_t>(r * vocab)))
              << isa << ", row " << rows[r] << " of " << rows.size() << ", steps of " << step_rows;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families,
                         CommittedModel,
                         testing::ValuesIn(names_in(kModels, "")),
                         test_name);

class GgufForm : public testing::TestWithParam<std::string> {};

TEST_P(GgufForm, AgreesWithItsReference) {
  const Json expected = read_json(kModels / GetParam() / "expected.json");
  for (const std::string& isa : exact_levels()) {
    RunModel model((kGguf / (GetParam() + ".gguf")).string(), isa);
    const Distance worst = distance(model, expected);
    EXPECT_LE(worst.logit, expected["max_abs_logit_error"].get<double>()) << isa;
    EXPECT_LE(worst.logprob, kLogprobTolerance) << isa;
  }
}

// Permuted rows go back to their places and the norms' one is added the same way, so both forms of
// the same weights give the same bits. Only numbers that GGUF rounds to float32 differ: tables of
// frequencies, factors and multipliers.
TEST_P(GgufForm, HasTheBitsOfTheSafetensorsForm) {
  RunModel original((kModels / GetParam()).string());
  RunModel converted((kGguf / (GetParam() + ".gguf")).string());
  const bool rounded =
      std::find(std::begin(kRoundedInGguf), std::end(kRoundedInGguf), GetParam()) !=
      std::end(kRoundedInGguf);
  const Json expected = read_json(kModels / GetParam() / "expected.json");
  for (const Json& test : expected["cases"]) {
    const auto ids = test["ids"].get<std::vector<int32_t>>();
    const std::vector<float> a = original.logits(ids);
    const std::vector<float> b = converted.logits(ids);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      if (rounded) {
        ASSERT_NEAR(a[i], b[i], 2e-5) << i;
      } else {
        ASSERT_EQ(a[i], b[i]) << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families,
                         GgufForm,
                         testing::ValuesIn(names_in(kGguf, ".gguf")),
                         test_name);

}  // namespace
}  // namespace keju
