#include "formats/chart.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

Chart chart_of(std::vector<double> x, std::vector<double> y) {
  Chart chart{"Loss", "", "epoch", {}};
  chart.series.push_back({"training", std::move(x), std::move(y)});
  return chart;
}

TEST(Chart, AxesHaveRoundNumbersAndHoldAll) {
  for (const auto& [low, high] : {std::pair{0.13, 0.97}, {-3.2, 7.9}, {0.0, 1e-7}, {93.1, 93.4}, {1e6, 3.7e6}, {5.0, 5.0}, {0.0, 0.0}}) {
    SCOPED_TRACE(testing::Message() << low << " to " << high);
    const Axis axis = make_axis({high, kNan, low}, 5, false, true);
    EXPECT_LE(axis.low, low);
    EXPECT_GE(axis.high, high);
    EXPECT_GT(axis.high, axis.low);
    EXPECT_GE(axis.ticks.size(), 2u);
    EXPECT_LE(axis.ticks.size(), 8u);
    const double step = axis.ticks[1] - axis.ticks[0];
    const double digit = step / std::pow(10, std::floor(std::log10(step) + 1e-9));
    EXPECT_TRUE(std::abs(digit - 1) < 1e-6 || std::abs(digit - 2) < 1e-6 || std::abs(digit - 5) < 1e-6) << step;
  }
  EXPECT_EQ(make_axis({3, 4}, 5, true, true).low, 0);
  EXPECT_EQ(make_axis({}, 5, false, true).high, 1);
}

TEST(Chart, ManyMagnitudesAreLogarithmic) {
  const Axis axis = make_axis({3e-4, 2.0}, 5, false, true);
  EXPECT_TRUE(axis.logarithmic);
  EXPECT_LE(axis.low, 3e-4);
  EXPECT_GE(axis.high, 2.0);
  EXPECT_NEAR(axis.place(std::sqrt(axis.low * axis.high)), 0.5, 1e-12);
  EXPECT_FALSE(make_axis({0, 2.0}, 5, false, true).logarithmic);
  EXPECT_FALSE(make_axis({3e-4, 2.0}, 5, false, false).logarithmic);
}

TEST(Chart, DrawsPointsWhereTheyBelong) {
  const std::string html = draw(chart_of({0, 1, 2}, {0, 1, 4}));
  EXPECT_NE(html.find("d=\"M0.0 1000.0L500.0 750.0L1000.0 0.0\""), std::string::npos) << html;
  EXPECT_NE(html.find("data-x=\"0 1 2\" data-y=\"0 1 4\""), std::string::npos);
  EXPECT_NE(html.find("at the end 4"), std::string::npos);
}

TEST(Chart, LeavesGapsWhereNothingIsKnown) {
  const std::string html = draw(chart_of({0, 1, 2, 3}, {1, kNan, 2, 3}));
  EXPECT_EQ(times(html, "M333.3"), 0u);
  EXPECT_NE(html.find("M666.7"), std::string::npos) << html;  // the pen is lifted
  EXPECT_EQ(html.find("nan"), std::string::npos);
}

TEST(Chart, NothingKnownIsNoChart) {
  EXPECT_EQ(draw(chart_of({}, {})), "");
  EXPECT_EQ(draw(chart_of({1, 2}, {kNan, std::numeric_limits<double>::infinity()})), "");
}

TEST(Chart, ALonePointIsADot) {
  const std::string html = draw(chart_of({1}, {0.5}));
  EXPECT_NE(html.find("class=\"dots\""), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
}

TEST(Chart, LongLinesAreThinnedToMeans) {
  std::vector<double> x(20000), y(20000, 3.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<double>(i);
  }
  y[7] = kNan;
  const std::string html = draw(chart_of(x, y));
  EXPECT_LT(html.size(), 30000u);
  EXPECT_NE(html.find("at the end 3<"), std::string::npos);
}

TEST(Chart, NamesAreEscaped) {
  Chart chart = chart_of({0, 1}, {1, 2});
  chart.series.push_back({"\"><script>alert(1)</script>", {0, 1}, {2, 3}});
  const std::string html = draw(chart);
  EXPECT_EQ(html.find("<script>"), std::string::npos);
  EXPECT_EQ(html.find("\"\">"), std::string::npos);
}

}  // namespace
}  // namespace lockstep
