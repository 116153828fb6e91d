// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/cpu/lanes_math.h"

namespace keju {
namespace {

// Distance in units of the last place of the true value.
double ulps(float got, double want) {
  const float rounded = static_cast<float>(want);
  const double unit = std::fabs(static_cast<double>(std::nextafterf(rounded, HUGE_VALF)) -
                                static_cast<double>(rounded));
  return std::fabs(static_cast<double>(got) - want) / unit;
}

template <typename Got, typename Want>
double worst(float low, float high, Got got, Want want) {
  double worst_seen = 0;
  constexpr int kSteps = 200000;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = low + (high - low) * (static_cast<float>(i) / kSteps);
    const double here = ulps(got(x), want(static_cast<double>(x)));
    if (!(here <= worst_seen)) worst_seen = here;
  }
  return worst_seen;
}

TEST(LanesMath, ExpIsWithinAboutOneUlp) {
  const double w = worst(
      -87.3f, 88.3f, [](float x) { return exp_lanes(x); }, [](double x) { return std::exp(x); });
  EXPECT_TRUE(w <= 1.1) << w;
}

TEST(LanesMath, ExpOfZeroIsOneAndTheEndsAreClean) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_lanes(0.0f), 1.0f);
  EXPECT_EQ(exp_lanes(-0.0f), 1.0f);
  EXPECT_EQ(exp_lanes(-88.0f), 0.0f);
  EXPECT_EQ(exp_lanes(-1e30f), 0.0f);
  EXPECT_EQ(exp_lanes(-kInf), 0.0f);
  EXPECT_EQ(exp_lanes(89.0f), kInf);
  EXPECT_EQ(exp_lanes(kInf), kInf);
  EXPECT_TRUE(std::isnan(exp_lanes(std::nanf(""))));
  EXPECT_GE(exp_lanes(-87.336f), std::numeric_limits<float>::min());
}

TEST(LanesMath, TanhIsWithinThreeUlpsAndOdd) {
  const double w = worst(
      -10, 10, [](float x) { return tanh_lanes(x); }, [](double x) { return std::tanh(x); });
  EXPECT_TRUE(w <= 3.0) << w;
  const double tiny = worst(
      -1e-3f, 1e-3f, [](float x) { return tanh_lanes(x); }, [](double x) { return std::tanh(x); });
  EXPECT_TRUE(tiny <= 1.0) << tiny;
  for (const float x : {0.1f, 0.62f, 1.0f, 30.0f, 200.0f}) {
    EXPECT_EQ(tanh_lanes(-x), -tanh_lanes(x));
  }
  EXPECT_EQ(tanh_lanes(200.0f), 1.0f);
}

TEST(LanesMath, ErfIsWithinThreeUlpsAndOdd) {
  const double w = worst(
      -5, 5, [](float x) { return erf_lanes(x); }, [](double x) { return std::erf(x); });
  EXPECT_TRUE(w <= 3.0) << w;
  for (const float x : {0.1f, 1.0f, 2.5f, 4.5f}) EXPECT_EQ(erf_lanes(-x), -erf_lanes(x));
}

TEST(LanesMath, SigmoidHasItsLimits) {
  EXPECT_EQ(sigmoid_lanes(0.0f), 0.5f);
  EXPECT_EQ(sigmoid_lanes(200.0f), 1.0f);
  EXPECT_EQ(sigmoid_lanes(-200.0f), 0.0f);
  EXPECT_EQ(swish_lanes(-200.0f, 1.0f), 0.0f);
}

}  // namespace
}  // namespace keju
