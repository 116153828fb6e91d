// SPDX-License-Identifier: MIT
#include "kernel_test.h"

namespace keju::kernel_test {
namespace {

class GluOps : public PerIsa {};

constexpr Activation kAll[] = {Activation::kSilu,
                               Activation::kGeluTanh,
                               Activation::kGeluErf,
                               Activation::kRelu,
                               Activation::kRelu2,
                               Activation::kGeluQuick};

double reference(Activation activation, double x) {
  switch (activation) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kRelu2:
      return x > 0 ? x * x : 0;
    case Activation::kGeluQuick:
      return x / (1 + std::exp(-1.702 * x));
  }
  return NAN;
}

TEST_P(GluOps, ActivationsAgreeWithDouble) {
  for (const Activation activation : kAll) {
    Array x = Array::random(3, 211, 1, 9);
    Array out = x;
    be().activate(out.rows(), activation);
    for (int64_t t = 0; t < 3; ++t) {
      for (int64_t d = 0; d < 211; ++d) {
        EXPECT_TRUE(near(out.at(t, d), reference(activation, x.at(t, d)), 1e-6));
      }
    }
    EXPECT_TRUE(out.room_untouched());
  }
}

TEST_P(GluOps, ExtremeInputsStayFinite) {
  for (const Activation activation :
       {Activation::kSilu, Activation::kGeluTanh, Activation::kGeluErf, Activation::kGeluQuick}) {
    Array x = Array::of({{-1e4f, -300, -90, 0, 90, 300, 1e4f}});
    be().activate(x.rows(), activation);
    for (int64_t d = 0; d < 3; ++d) EXPECT_EQ(x.at(0, d), 0);
    EXPECT_EQ(x.at(0, 3), 0);
    EXPECT_EQ(x.at(0, 5), 300);
    EXPECT_EQ(x.at(0, 6), 1e4f);
  }
}

TEST_P(GluOps, GateMultipliesUp) {
  for (const Activation activation : kAll) {
    Array both = Array::random(2, 2 * 53, 7, 4);
    Array out(2, 53);
    be().glu(both.rows(), {.activation = activation}, out.rows());
    for (int64_t t = 0; t < 2; ++t) {
      for (int64_t f = 0; f < 53; ++f) {
        const double want =
            reference(activation, both.at(t, f)) * static_cast<double>(both.at(t, 53 + f));
        EXPECT_TRUE(near(out.at(t, f), want, 1e-5));
      }
    }
    EXPECT_TRUE(out.room_untouched());
  }
}

TEST_P(GluOps, ClampedGateFollowsItsFormula) {
  Array both = Array::of({{10, -10, 1, 2, 9, -9, 0.5f, -0.5f}});
  Array out(1, 4);
  be().glu(both.rows(), {.clamp_limit = 7, .sigmoid_alpha = 1.702f}, out.rows());
  const auto want = [](double gate, double up) {
    return gate / (1 + std::exp(-1.702f * gate)) * (up + 1);
  };
  EXPECT_TRUE(near(out.at(0, 0), want(7, 7), 1e-5));
  EXPECT_TRUE(near(out.at(0, 1), want(-10, -7), 1e-5));
  EXPECT_TRUE(near(out.at(0, 2), want(1, 0.5), 1e-5));
  EXPECT_TRUE(near(out.at(0, 3), want(2, -0.5), 1e-5));
}

TEST_P(GluOps, SigmoidScale) {
  Array x = Array::of({{2, 4, 6}, {1, 2, 3}});
  Array gate = Array::of({{0}, {100}});
  be().sigmoid_scale(x.rows(), gate.rows());
  EXPECT_EQ(x.row(0), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(x.row(1), (std::vector<float>{1, 2, 3}));
}

KEJU_PER_ISA(GluOps);

}  // namespace
}  // namespace keju::kernel_test
