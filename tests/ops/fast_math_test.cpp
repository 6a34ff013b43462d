#include "ops/fast_math.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace lockstep {
namespace {

using Float = float (*)(float);
using Double = double (*)(double);

struct Range {
  const char* name;
  Float fast;
  Double exact;
  double low, high, ulps;
};
const std::array kRanges{
    Range{"exp", fast::exp, std::exp, -87.3, 88.7, 1.0},
    Range{"exp below the normal numbers", fast::exp, std::exp, -110, -87.3, 2.0},
    Range{"exp_normal", fast::exp_normal, std::exp, -87.3, 88, 1.0},
    Range{"expm1 near 0", fast::expm1, std::expm1, -0.5, 0.5, 2.0},
    Range{"expm1", fast::expm1, std::expm1, -30, 88.7, 2.0},
    Range{"log near 1", fast::log, std::log, 0.5, 2, 1.0},
    Range{"log", fast::log, std::log, 1e-30, 1e30, 1.0},
    Range{"log of subnormal numbers", fast::log, std::log, 1e-44, 1e-38, 1.0},
    Range{"log1p", fast::log1p, std::log1p, 0, 3, 2.0},
    Range{"sigmoid", fast::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -85, 85, 3.0},
    Range{"tanh", fast::tanh, std::tanh, -20, 20, 3.0},
    Range{"tanh near 0", fast::tanh, std::tanh, -1e-3, 1e-3, 3.0},
    Range{"softplus", fast::softplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, -80, 80, 3.0},
    Range{"gelu", fast::gelu, [](double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }, -2, 12, 6.0},
    Range{"gelu of small numbers", fast::gelu, [](double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }, -1e-3, 1e-3, 6.0},
    Range{"erf", fast::erf, std::erf, -6, 6, 2.0},
};

/// In units of the last place of `exact`; subnormal numbers have the least one.
double ulps(float got, double exact) {
  const float size = std::abs(static_cast<float>(exact));
  const double unit = std::max(std::nextafter(size, std::numeric_limits<float>::infinity()) - size, 1.4e-45F);
  return std::abs(got - exact) / unit;
}

TEST(FastMath, StaysWithinUlpsOfTheMathematicalLibrary) {
  for (const Range& range : kRanges) {
    double worst = 0, at = 0;
    for (int i = 0; i <= 20000; ++i) {
      const auto x = static_cast<float>(range.low + (range.high - range.low) * i / 20000);
      const double error = ulps(range.fast(x), range.exact(x));
      if (!(error <= worst)) {
        worst = error;
        at = x;
      }
    }
    EXPECT_LE(worst, range.ulps) << range.name << " at " << at;
  }
}

TEST(FastMath, InfinitiesZerosAndNotANumber) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Range& range : kRanges) {
    EXPECT_TRUE(std::isnan(range.fast(nan))) << range.name;
  }
  EXPECT_EQ(fast::exp(kInf), kInf);
  EXPECT_EQ(fast::exp(88.8F), kInf);
  EXPECT_EQ(fast::exp(-kInf), 0.0F);
  EXPECT_EQ(fast::exp(0.0F), 1.0F);
  EXPECT_EQ(fast::exp_normal(-87.4F), 0.0F);
  EXPECT_EQ(fast::exp_normal(-kInf), 0.0F);
  EXPECT_EQ(fast::expm1(-kInf), -1.0F);
  EXPECT_EQ(fast::expm1(kInf), kInf);
  EXPECT_EQ(fast::log(0.0F), -kInf);
  EXPECT_EQ(fast::log(kInf), kInf);
  EXPECT_TRUE(std::isnan(fast::log(-1.0F)));
  EXPECT_EQ(fast::log(1.0F), 0.0F);
  EXPECT_EQ(fast::tanh(kInf), 1.0F);
  EXPECT_EQ(fast::tanh(-kInf), -1.0F);
  EXPECT_EQ(fast::sigmoid(kInf), 1.0F);
  EXPECT_EQ(fast::sigmoid(-kInf), 0.0F);
  EXPECT_EQ(fast::softplus(-kInf), 0.0F);
  EXPECT_EQ(fast::softplus(kInf), kInf);
  EXPECT_EQ(fast::gelu(kInf), kInf);
  EXPECT_EQ(fast::gelu(-kInf), 0.0F);
  EXPECT_EQ(fast::gelu_slope(kInf), 1.0F);
  EXPECT_EQ(fast::gelu_slope(-kInf), 0.0F);
  EXPECT_EQ(fast::erf(kInf), 1.0F);
  EXPECT_EQ(fast::erf(-kInf), -1.0F);
}

TEST(FastMath, SineAndCosineOfATurn) {
  for (int i = 0; i <= 10000; ++i) {
    const auto u = static_cast<float>(i) / 10000;
    const fast::SinCos got = fast::sincos_turns(u);
    EXPECT_NEAR(got.sin, std::sin(2 * M_PI * u), 1.5e-7) << u;
    EXPECT_NEAR(got.cos, std::cos(2 * M_PI * u), 1.5e-7) << u;
  }
}

}  // namespace
}  // namespace lockstep
