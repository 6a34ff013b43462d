#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// A line of a chart. Points that are not finite leave a gap.
struct Series {
  std::string name;
  std::vector<double> x, y;
  std::size_t colour = 0;  ///< of the palette; they come again, dashed, when it is used up
  bool faint = false;      ///< thin and pale, without points: the noisy one behind another
  std::size_t run = 0;     ///< which run it is of
};

struct Chart {
  std::string title;
  std::string note;  ///< small, after the title: what is shown, and its unit
  std::string x_label;
  std::vector<Series> series;
  bool shares = false;     ///< 0.93 is told as 93 %
  bool from_zero = false;  ///< the axis of y begins at 0
  double x_first = 0;      ///< where the axis of x begins
};

/// Where an axis has its numbers.
struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  /// 0 at `low`, 1 at `high`.
  [[nodiscard]] double place(double value) const;
};

/// An axis over these numbers (at least one of them finite, or 0 to 1) with up to about `ticks` round numbers. Logarithmic where it may be,
/// all are positive, the greatest is over ten times the least and it need not begin at zero.
[[nodiscard]] Axis make_axis(const std::vector<double>& numbers, std::size_t ticks, bool from_zero, bool may_be_logarithmic);

/// How far apart a chart's colours go before they come again.
inline constexpr std::size_t kColours = 8;

/// The class names that give a line, or its sign in a legend, its looks.
[[nodiscard]] std::string looks(std::size_t colour, bool faint = false);

/// A <figure> with the chart as SVG, its axes and legend as HTML; what is not finite is not drawn. Long series are thinned to means of
/// neighbours. Empty where no line has a point.
[[nodiscard]] std::string draw(const Chart& chart);

}  // namespace lockstep
