#include "formats/chart.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "formats/html.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostPoints = 500;  ///< of a line
constexpr std::size_t kMostMarked = 160;  ///< of all lines of a chart, with a dot each
constexpr std::size_t kMostInLegend = 8;  ///< the table of runs names more
constexpr double kLogarithmicFrom = 10;   ///< times the least
constexpr double kWidth = 1000;           ///< of the drawing; the page stretches it
constexpr double kHeight = 1000;

/// The smallest of 1, 2, 5, 10 times a power of ten that is no less than `least`.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (step * power >= least * (1 - 1e-9)) {
      return step * power;
    }
  }
  return 10 * power;
}

Axis logarithmic_axis(double least, double greatest) {
  Axis axis;
  axis.logarithmic = true;
  const double decades = std::log10(greatest / least);
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(least)); power <= std::ceil(std::log10(greatest)); power += 1) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      if (digit == 1 || decades < 3) {
        ticks.push_back(digit * std::pow(10, power));
      }
    }
  }
  const auto after = [](double a, double b) { return a > b * (1 + 1e-9); };
  const auto first = std::prev(std::ranges::find_if(ticks, [&](double tick) { return after(tick, least); }));
  const auto last = std::ranges::find_if(ticks, [&](double tick) { return !after(greatest, tick); });
  axis.ticks.assign(first, last == ticks.end() ? last : std::next(last));
  axis.low = axis.ticks.front();
  axis.high = axis.ticks.back();
  if (decades > 8) {
    std::erase_if(axis.ticks, [](double tick) { return std::lround(std::log10(tick)) % 2 != 0; });
  }
  return axis;
}

/// A tick as its step asks: "0.25", "1,500", "2e-05".
std::string tick_text(const Axis& axis, double tick, bool shares) {
  if (axis.logarithmic) {
    return shares ? fmt::format("{:g} %", 100 * tick) : number(tick);
  }
  const double scale = shares ? 100 : 1;
  const double step = axis.ticks.size() > 1 ? scale * (axis.ticks[1] - axis.ticks[0]) : 1;
  const double value = std::abs(tick) < step / scale * 1e-6 ? 0 : scale * tick;
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  std::string text = digits > 4 ? fmt::format("{:g}", value) : digits > 0 ? fmt::format("{:.{}f}", value, digits) : number(value);
  return shares ? text + " %" : text;
}

/// Means of neighbours, so that few enough are left.
Series thinned(const Series& series) {
  const std::size_t group = (series.x.size() + kMostPoints - 1) / kMostPoints;
  if (group < 2) {
    return series;
  }
  Series few = series;
  few.x.clear();
  few.y.clear();
  for (std::size_t begin = 0; begin < series.x.size(); begin += group) {
    const std::size_t end = std::min(begin + group, series.x.size());
    double x = 0, y = 0, count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (std::isfinite(series.y[i])) {
        x += series.x[i];
        y += series.y[i];
        ++count;
      }
    }
    few.x.push_back(count > 0 ? x / count : series.x[begin]);
    few.y.push_back(y / count);
  }
  return few;
}

std::string list(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers) {
    text += std::isfinite(number) ? fmt::format("{}{:.6g}", text.empty() ? "" : " ", number) : fmt::format("{}-", text.empty() ? "" : " ");
  }
  return text;
}

struct Paths {
  std::string line, dots;
};

/// Lengths of the drawing's own; dots are lines without length, so that they stay round however it is stretched.
Paths paths_of(const Series& series, const Axis& x_axis, const Axis& y_axis) {
  Paths paths;
  bool pen_down = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const double x = kWidth * x_axis.place(series.x[i]), y = kHeight * (1 - y_axis.place(series.y[i]));
    if (!std::isfinite(x) || !std::isfinite(y)) {
      pen_down = false;
      continue;
    }
    paths.line += fmt::format("{}{:.1f} {:.1f}", pen_down ? 'L' : 'M', x, y);
    paths.dots += fmt::format("M{:.1f} {:.1f}h0", x, y);
    pen_down = true;
  }
  return paths;
}

std::string svg_of(const std::vector<Series>& all, const Chart& chart, const Axis& x_axis, const Axis& y_axis) {
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.0f}" preserveAspectRatio="none" role="img" aria-label="{}">)", kWidth,
                                kHeight, escape(chart.title));
  for (const double tick : y_axis.ticks) {
    const double y = kHeight * (1 - y_axis.place(tick));
    svg += fmt::format(R"(<path class="grid" d="M0 {:.1f}H{:.0f}"/>)", y, kWidth);
  }
  std::size_t marked = 0;
  for (const Series& series : all) {
    marked += series.faint ? 0 : series.x.size();
  }
  for (const Series& series : all) {
    const Paths paths = paths_of(series, x_axis, y_axis);
    svg += fmt::format(R"(<g class="series {}" data-run="{}" data-name="{}" data-x="{}" data-y="{}"><path class="line" d="{}"/>)",
                       looks(series.colour, series.faint), series.run, escape(series.name), list(series.x), list(series.y), paths.line);
    const bool lone = std::ranges::count_if(series.y, [](double y) { return std::isfinite(y); }) == 1;
    if (lone || (marked <= kMostMarked && !series.faint)) {
      svg += fmt::format(R"(<path class="dots" d="{}"/>)", paths.dots);
    }
    svg += "</g>";
  }
  return svg + "</svg>";
}

std::string labels(const Axis& axis, const char* name, const char* side, bool from_top, bool shares) {
  std::string html = fmt::format(R"(<div class="{}" aria-hidden="true">)", name);
  for (const double tick : axis.ticks) {
    const double place = from_top ? 1 - axis.place(tick) : axis.place(tick);
    html += fmt::format(R"(<span style="{}:{:.2f}%">{}</span>)", side, 100 * place, tick_text(axis, tick, shares));
  }
  return html + "</div>";
}

/// Requires that there is one.
std::string last_value(const Series& series, bool shares) {
  const double last = *std::find_if(series.y.rbegin(), series.y.rend(), [](double y) { return std::isfinite(y); });
  return shares ? percent(last) : number(last);
}

/// The last number of each line stands behind its name.
std::string legend(const std::vector<Series>& all, bool shares) {
  if (all.size() > kMostInLegend) {
    return "";
  }
  std::string html = R"(<ul class="legend">)";
  for (const Series& series : all) {
    html += fmt::format(
        R"(<li data-run="{}"><svg class="key series {}" viewBox="0 0 18 8"><path class="line" d="M1 4H17"/></svg>{}<b>{}</b></li>)",
        series.run, looks(series.colour, series.faint), escape(series.name), last_value(series, shares));
  }
  return html + "</ul>";
}

}  // namespace

double Axis::place(double value) const {
  if (logarithmic) {
    return std::log(value / low) / std::log(high / low);
  }
  return (value - low) / (high - low);
}

Axis make_axis(const std::vector<double>& numbers, std::size_t ticks, bool from_zero, bool may_be_logarithmic) {
  std::vector<double> finite;
  std::ranges::copy_if(numbers, std::back_inserter(finite), [](double number) { return std::isfinite(number); });
  if (finite.empty()) {
    finite = {0, 1};
  }
  double least = std::ranges::min(finite), greatest = std::ranges::max(finite);
  if (may_be_logarithmic && !from_zero && least > 0 && greatest > kLogarithmicFrom * least) {
    return logarithmic_axis(least, greatest);
  }
  if (from_zero || (least > 0 && least < 0.3 * greatest)) {
    least = std::min(least, 0.0);
    greatest = std::max(greatest, 0.0);
  }
  if (greatest - least <= 1e-9 * std::max(std::abs(least), std::abs(greatest))) {  // one number: give it some room
    const double room = greatest == 0 ? 1 : std::abs(greatest) / 2;
    greatest += room;
    least -= least == 0 ? 0 : room;
  }
  const double step = round_step((greatest - least) / static_cast<double>(ticks));
  Axis axis;
  const double first = std::floor(least / step + 1e-9), last = std::ceil(greatest / step - 1e-9);
  for (double i = first; i <= last; i += 1) {
    axis.ticks.push_back(i * step);
  }
  axis.low = std::min(axis.ticks.front(), least);  // a tick may be a rounding error off
  axis.high = std::max(axis.ticks.back(), greatest);
  return axis;
}

std::string looks(std::size_t colour, bool faint) {
  return fmt::format("c{}{}{}", colour % kColours, colour / kColours % 2 == 1 ? " dashed" : "", faint ? " faint" : "");
}

std::string draw(const Chart& chart) {
  std::vector<Series> all;
  std::vector<double> xs, ys;
  for (const Series& series : chart.series) {
    if (std::ranges::any_of(series.y, [](double y) { return std::isfinite(y); })) {
      all.push_back(thinned(series));
      std::ranges::copy(all.back().x, std::back_inserter(xs));
      std::ranges::copy(all.back().y, std::back_inserter(ys));
    }
  }
  if (all.empty()) {
    return "";
  }
  constexpr std::size_t kTicksX = 6, kTicksY = 5;
  Axis x_axis = make_axis(xs, kTicksX, true, false);
  const double last = std::ranges::max(xs);
  x_axis.low = last > chart.x_first ? chart.x_first : 0;
  x_axis.high = std::max(last, x_axis.low + 1e-9);
  std::erase_if(x_axis.ticks, [&](double tick) { return tick < x_axis.low || tick > x_axis.high * (1 + 1e-9); });
  const Axis y_axis = make_axis(ys, kTicksY, chart.from_zero, !chart.shares);
  std::vector<std::string> notes;
  for (const std::string& note : {chart.note, std::string(y_axis.logarithmic ? "logarithmic" : ""),
                                  chart.series.size() == 1 ? "at the end " + last_value(all[0], chart.shares) : ""}) {
    if (!note.empty()) {
      notes.push_back(escape(note));
    }
  }
  return fmt::format(
      R"(<figure class="card chart"><figcaption><h3>{}</h3><span class="note">{}</span></figcaption>{}<div class="plot" data-share="{:d}">{}{}{}</div><p class="x-title">{}</p></figure>)"
      "\n",
      escape(chart.title), fmt::join(notes, " · "), chart.series.size() == 1 ? "" : legend(all, chart.shares), chart.shares,
      labels(y_axis, "y-axis", "top", true, chart.shares), svg_of(all, chart, x_axis, y_axis),
      labels(x_axis, "x-axis", "left", false, false), escape(chart.x_label));
}

}  // namespace lockstep
