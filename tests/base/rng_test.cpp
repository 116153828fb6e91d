// SPDX-License-Identifier: MIT
#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"

namespace keju {
namespace {

using Words = std::array<uint32_t, 4>;
using List = std::vector<int64_t>;

// The known answers of the Random123 distribution for philox4x32-10.
TEST(Rng, PhiloxKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, UniformIsAFunctionOfItsArguments) {
  EXPECT_EQ(uniform(1, 2, 3), uniform(1, 2, 3));
  const std::set<double> draws = {uniform(1, 2, 3),
                                  uniform(2, 2, 3),
                                  uniform(1, 3, 3),
                                  uniform(1, 2, 4),
                                  uniform(uint64_t{1} << 32 | 1, 2, 3),
                                  uniform(1, uint64_t{1} << 32 | 2, 3),
                                  uniform(1, 2, uint64_t{1} << 32 | 3)};
  EXPECT_EQ(draws.size(), 7u);
  // From the first known answer: the upper 53 bits of 0xe169c58d6627e8d5.
  EXPECT_EQ(uniform(0, 0, 0), std::ldexp(static_cast<double>(0xe169c58d6627e8d5u >> 11), -53));
}

TEST(Rng, UniformIsUniform) {
  double sum = 0;
  for (uint64_t i = 0; i < 100000; ++i) {
    const double x = uniform(42, 7, i);
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(Rng, UniformBelowCoversItsRange) {
  std::array<int, 7> counts{};
  for (uint64_t i = 0; i < 70000; ++i) ++counts.at(uniform_below(1, 0, i, 7));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(uniform_below(1, 0, 0, 1), 0u);
  EXPECT_THROW(uniform_below(1, 0, 0, 0), Error);
}

// Everything below was printed by CPython 3.11.
TEST(Rng, PythonWords) {
  PythonRandom random(1234);
  EXPECT_EQ(random.next_u32(), 4150886329u);
  EXPECT_EQ(random.next_u32(), 3342196574u);
  EXPECT_EQ(random.next_u32(), 1892932127u);
  EXPECT_EQ(random.next_u32(), 501869158u);
}

TEST(Rng, PythonRandom) {
  EXPECT_EQ(PythonRandom(1234).random(), 0.9664535356921388);
  EXPECT_EQ(PythonRandom(0).random(), 0.8444218515250481);
  // A seed of two words, and the state's second and third filling.
  PythonRandom random((uint64_t{1} << 40) + 7);
  double last = 0;
  for (int i = 0; i < 1000; ++i) last = random.random();
  EXPECT_EQ(last, 0.07764916333699712);
}

TEST(Rng, PythonBelow) {
  PythonRandom random(5);
  EXPECT_EQ(random.below(10), 9u);
  EXPECT_EQ(random.below(uint64_t{1} << 40), 62406045989u);
  EXPECT_EQ(random.below(~uint64_t{0}), 8589221953160678911u);
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_THROW(random.below(0), Error);
}

TEST(Rng, PythonSampleFromASet) {
  PythonRandom random(1234);
  EXPECT_EQ(random.sample(7473, 5), (List{6374, 3610, 957, 61, 742}));
  EXPECT_EQ(random.sample(7473, 5), (List{7462, 6610, 4769, 286, 5501}));
  EXPECT_EQ(random.sample(7473, 5), (List{5677, 687, 806, 6279, 2905}));
}

TEST(Rng, PythonSampleFromAPool) {
  PythonRandom random(1234);
  EXPECT_EQ(random.sample(10, 3), (List{7, 1, 0}));
  EXPECT_EQ(random.sample(10, 3), (List{1, 0, 9}));
  EXPECT_EQ(random.sample(10, 3), (List{1, 5, 3}));
}

TEST(Rng, PythonSampleAtTheChangeOfMethod) {
  EXPECT_EQ(PythonRandom(1).sample(21, 5), (List{4, 18, 2, 8, 3}));
  EXPECT_EQ(PythonRandom(1).sample(22, 5), (List{4, 18, 2, 8, 3}));
  EXPECT_EQ(PythonRandom(1).sample(85, 6), (List{17, 72, 8, 32, 15, 63}));
  EXPECT_EQ(PythonRandom(1).sample(86, 6), (List{17, 72, 8, 32, 15, 63}));
  EXPECT_TRUE(PythonRandom(1).sample(0, 0).empty());
  EXPECT_THROW(PythonRandom(1).sample(3, 4), Error);
}

}  // namespace
}  // namespace keju
