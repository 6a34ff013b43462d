#include "formats/report_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "formats/base64.hpp"
#include "formats/html.hpp"

namespace lockstep {
namespace {

using Json = RunFiles::Json;

double or_zero(double number) { return std::isfinite(number) ? number : 0; }

// ---- time

struct TimeKind {
  const char* name;
  const char* css;
  double TimeParts::*seconds;
};
constexpr std::array kTimeKinds{TimeKind{"computing", "t-compute", &TimeParts::compute},
                                TimeKind{"updating", "t-update", &TimeParts::update},
                                TimeKind{"exchanging", "t-exchange", &TimeParts::exchange},
                                TimeKind{"waiting for data", "t-data", &TimeParts::data}, TimeKind{"other", "t-other", &TimeParts::other}};

TimeParts parts_of_steps(const Json& line) {
  TimeParts parts;
  parts.compute = or_zero(number_at(line, "compute_seconds"));
  parts.data = or_zero(number_at(line, "data_wait_seconds"));
  parts.exchange = or_zero(number_at(line, "exchange_seconds"));
  parts.update = or_zero(number_at(line, "update_seconds"));
  parts.other = std::max(0.0, or_zero(number_at(line, "seconds")) - parts.total());
  return parts;
}

TimeParts parts_of_epoch(const Json& line) {
  TimeParts parts;
  const double seconds = or_zero(number_at(line, "seconds"));
  parts.data = seconds * or_zero(number_at(line, "data_wait_share"));
  parts.compute = seconds - parts.data;
  return parts;
}

std::string bar(const std::string& name, const TimeParts& parts, double longest) {
  std::string html = fmt::format(R"(<div class="bar-row"><span class="bar-name">{}</span><div class="bar"><div style="width:{:.2f}%">)",
                                 escape(name), 100 * parts.total() / longest);
  for (const TimeKind& kind : kTimeKinds) {
    const double seconds = parts.*kind.seconds;
    if (seconds > 0) {
      html += fmt::format(R"(<i class="{}" style="flex:{:.5f}" title="{}: {}, {}"></i>)", kind.css, seconds / parts.total(), kind.name,
                          duration(seconds), percent(seconds / parts.total()));
    }
  }
  return html + fmt::format(R"(</div></div><span class="bar-end">{}</span></div>)", duration(parts.total()));
}

/// Neighbouring epochs together, so that there are few bars.
std::string bars_of_epochs(const RunFiles& run) {
  constexpr std::uint64_t kMostBars = 10;
  std::vector<TimeParts> epochs;
  const bool by_steps = !run.steps.empty();
  for (const Json& line : by_steps ? run.steps : run.epochs) {
    const double epoch = number_at(line, "epoch");
    if (epoch >= 1 && epoch < 1e6) {
      epochs.resize(std::max(epochs.size(), static_cast<std::size_t>(epoch)));
      epochs[static_cast<std::size_t>(epoch) - 1].add(by_steps ? parts_of_steps(line) : parts_of_epoch(line));
    }
  }
  if (epochs.size() < 2) {
    return "";
  }
  const std::size_t group = (epochs.size() + kMostBars - 1) / kMostBars;
  std::vector<std::pair<std::string, TimeParts>> bars;
  for (std::size_t begin = 0; begin < epochs.size(); begin += group) {
    const std::size_t end = std::min(begin + group, epochs.size());
    TimeParts parts;
    std::for_each(epochs.begin() + static_cast<std::ptrdiff_t>(begin), epochs.begin() + static_cast<std::ptrdiff_t>(end),
                  [&](const TimeParts& epoch) { parts.add(epoch); });
    bars.emplace_back(end - begin == 1 ? fmt::format("epoch {}", end) : fmt::format("epochs {}–{}", begin + 1, end), parts);
  }
  double longest = 0;
  for (const auto& [name, parts] : bars) {
    longest = std::max(longest, parts.total());
  }
  std::string html;
  for (const auto& [name, parts] : bars) {
    html += parts.total() > 0 ? bar(name, parts, longest) : "";
  }
  return html;
}

std::string time_legend(const TimeParts& parts, bool by_steps, bool with_numbers) {
  std::string html = R"(<ul class="legend time">)";
  for (const TimeKind& kind : kTimeKinds) {
    const double seconds = parts.*kind.seconds;
    if (seconds > 0) {
      const std::string name = by_steps || kind.seconds != &TimeParts::compute ? kind.name : "training steps";
      html += fmt::format(R"(<li><i class="swatch {}"></i>{}{}</li>)", kind.css, name,
                          with_numbers ? fmt::format("<b>{}</b> {}", percent(seconds / parts.total()), duration(seconds)) : "");
    }
  }
  return html + "</ul>";
}

// ---- confusion matrix

constexpr std::size_t kMostNumbered = 20;  ///< classes whose counts are written in the matrix
constexpr std::size_t kMostDrawn = 256;

std::string matrix_table(const RunFiles& run, const std::vector<double>& totals) {
  const std::size_t n = run.classes.size();
  std::string html = R"(<div class="scroll"><table class="confusion"><thead><tr><th class="corner">label ↓ &nbsp; said →</th>)";
  for (const std::string& name : run.classes) {
    html += fmt::format(R"(<th class="said"><span>{}</span></th>)", escape(name));
  }
  html += R"(<th class="recall">recall</th></tr></thead><tbody>)";
  for (std::size_t c = 0; c < n; ++c) {
    html += fmt::format("<tr><th>{}</th>", escape(run.classes[c]));
    for (std::size_t said = 0; said < n; ++said) {
      const double count = run.confusion[c * n + said];
      const double share = totals[c] > 0 ? count / totals[c] : 0;
      html += fmt::format(R"(<td class="{}{}" style="--s:{:.3f}" title="{} said to be {}: {}, {}">{}</td>)", c == said ? "right" : "wrong",
                          share > 0.55 ? " strong" : "", share, escape(run.classes[c]), escape(run.classes[said]), number(count),
                          percent(share), count > 0 ? number(count) : "");
    }
    html += fmt::format(R"(<td class="recall">{}</td></tr>)", totals[c] > 0 ? percent(run.confusion[c * n + c] / totals[c]) : "–");
  }
  return html + "</tbody></table></div>";
}

/// A drawing for many classes: only what was said at least once has a square.
std::string matrix_drawing(const RunFiles& run, const std::vector<double>& totals) {
  const std::size_t n = run.classes.size();
  std::string svg =
      fmt::format(R"(<div class="drawing"><svg class="heat" viewBox="0 0 {0} {0}" role="img" aria-label="confusion matrix">)", n);
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t said = 0; said < n; ++said) {
      const double count = run.confusion[c * n + said];
      if (count > 0) {
        svg += fmt::format(
            R"(<rect class="{}" x="{}" y="{}" width="1" height="1" opacity="{:.3f}"><title>{} said to be {}: {}</title></rect>)",
            c == said ? "right" : "wrong", said, c, std::clamp((c == said ? 1 : 3) * count / totals[c], 0.15, 1.0), escape(run.classes[c]),
            escape(run.classes[said]), number(count));
      }
    }
  }
  return svg + R"(</svg><p class="x-title">a row for each label, a column for what the model says</p></div>)";
}

std::string most_confused(const RunFiles& run, const std::vector<double>& totals) {
  constexpr std::size_t kPairs = 6;
  const std::size_t n = run.classes.size();
  std::vector<std::size_t> pairs;
  for (std::size_t i = 0; i < n * n; ++i) {
    if (i / n != i % n && run.confusion[i] > 0) {
      pairs.push_back(i);
    }
  }
  std::ranges::stable_sort(pairs, [&](std::size_t a, std::size_t b) { return run.confusion[a] > run.confusion[b]; });
  pairs.resize(std::min(pairs.size(), kPairs));
  if (pairs.empty()) {
    return "";
  }
  std::string html =
      R"(<div class="pairs"><h4>Most often confused</h4><table><thead><tr><th>label</th><th>said to be</th><th class="num">samples</th>)"
      R"(<th class="num">of the label</th></tr></thead><tbody>)";
  for (const std::size_t i : pairs) {
    html += fmt::format(R"(<tr><td>{}</td><td>{}</td><td class="num">{}</td><td class="num">{}</td></tr>)", escape(run.classes[i / n]),
                        escape(run.classes[i % n]), number(run.confusion[i]), percent(run.confusion[i] / totals[i / n]));
  }
  return html + "</tbody></table></div>";
}

// ---- samples

const Json& member(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? none : *found;
}

std::string class_name(const Json& samples, const Json& index) {
  const Json& names = member(samples, "classes");
  if (index.is_number_unsigned() && names.is_array() && index.get<std::size_t>() < names.size() &&
      names[index.get<std::size_t>()].is_string()) {
    return names[index.get<std::size_t>()].get<std::string>();
  }
  return index.is_number() ? number(index.get<double>()) : "–";
}

/// A label or a prediction: the name of a class, those that a sample has of several, or numbers.
std::string told(const Json& samples, const Json& value) {
  const std::string task = member(samples, "task").is_string() ? member(samples, "task").get<std::string>() : "";
  if (!value.is_array()) {
    return task == "classes" ? class_name(samples, value) : value.is_number() ? number(value.get<double>()) : "–";
  }
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool has = value[i].is_number() && value[i].get<double>() > 0;
    if (task == "several" && !has) {
      continue;
    }
    text += text.empty() ? "" : ", ";
    text += task == "several" ? class_name(samples, i) : value[i].is_number() ? number(value[i].get<double>()) : "–";
  }
  return text.empty() ? "none" : text;
}

/// <img>; empty where the sample is no image.
std::string picture(const Json& sample) {
  const Json &pixels = member(sample, "pixels"), &shape = member(sample, "shape");
  if (!pixels.is_string() || !shape.is_array() || shape.size() != 3 ||
      !std::ranges::all_of(shape, [](const Json& size) { return size.is_number_unsigned() && size.get<std::size_t>() < 65536; })) {
    return "";
  }
  const auto channels = shape[0].get<std::size_t>(), height = shape[1].get<std::size_t>(), width = shape[2].get<std::size_t>();
  const std::vector<std::byte> planes = from_base64(pixels.get<std::string>());
  if ((channels != 1 && channels != 3) || planes.empty() || planes.size() != channels * height * width) {
    return "";
  }
  return fmt::format(R"(<img src="{}" width="{}" height="{}" alt="sample {}">)", png(planes, channels, height, width), width, height,
                     number(number_at(sample, "index")));
}

/// The greatest probabilities as small bars.
std::string probability_bars(const Json& samples, const Json& sample) {
  constexpr std::size_t kBars = 3;
  const Json& shares = member(sample, "probabilities");
  if (!shares.is_array()) {
    return "";
  }
  std::vector<std::pair<double, std::size_t>> sorted;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    sorted.emplace_back(shares[i].is_number() ? std::clamp(shares[i].get<double>(), 0.0, 1.0) : 0, i);
  }
  std::ranges::stable_sort(sorted, std::greater(), &std::pair<double, std::size_t>::first);
  sorted.resize(std::min(sorted.size(), kBars));
  std::string html = R"(<dl class="shares">)";
  for (const auto& [share, c] : sorted) {
    html +=
        fmt::format(R"(<div style="--s:{:.3f}"><dt>{}</dt><dd>{:.0f} %</dd></div>)", share, escape(class_name(samples, c)), 100 * share);
  }
  return html + "</dl>";
}

std::string sample_card(const Json& samples, const Json& sample, const std::string& image) {
  const bool right = member(sample, "label") == member(sample, "prediction");
  const std::string label = escape(told(samples, member(sample, "label")));
  const std::string says =
      right ? label : fmt::format("{} <small>label {}</small>", escape(told(samples, member(sample, "prediction"))), label);
  return fmt::format(R"(<li class="sample {}">{}<p><span class="mark">{}</span>{}</p>{}</li>)", right ? "right" : "wrong", image,
                     right ? "✓" : "✗", says, probability_bars(samples, sample));
}

std::string samples_table(const Json& samples) {
  const bool numbers = member(samples, "task") == "numbers";
  std::string html = fmt::format(
      R"(<div class="card scroll"><table class="values"><thead><tr><th class="num">row</th><th>values</th><th class="{0}">label</th><th class="{0}">prediction</th>{1}</tr></thead><tbody>)",
      numbers ? "num" : "", numbers ? R"(<th class="num">error</th>)" : "");
  for (const Json& sample : member(samples, "samples")) {
    const Json &label = member(sample, "label"), &prediction = member(sample, "prediction");
    const bool wrong = !numbers && label != prediction;
    std::string values;
    if (const Json& list = member(sample, "values"); list.is_array()) {
      for (const Json& value : list) {
        values += fmt::format("{}{}", values.empty() ? "" : "  ", value.is_number() ? number(value.get<double>()) : "–");
      }
    }
    html += fmt::format(R"(<tr class="{}"><td class="num">{}</td><td class="mono">{}</td><td class="{}">{}</td><td class="{}">{}{}</td>)",
                        wrong ? "wrong" : "", number(number_at(sample, "index")), escape(values), numbers ? "num" : "",
                        escape(told(samples, label)), numbers ? "num" : "", wrong ? R"(<span class="mark">✗</span>)" : "",
                        escape(told(samples, prediction)));
    html += numbers
                ? fmt::format(R"(<td class="num">{}</td>)",
                              label.is_number() && prediction.is_number() ? number(prediction.get<double>() - label.get<double>()) : "–")
                : "";
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

}  // namespace

void TimeParts::add(const TimeParts& more) {
  for (const TimeKind& kind : kTimeKinds) {
    this->*kind.seconds += more.*kind.seconds;
  }
}

TimeParts time_parts(const RunFiles& run) {
  TimeParts parts;
  for (const Json& line : run.steps) {
    parts.add(parts_of_steps(line));
  }
  if (run.steps.empty()) {
    for (const Json& line : run.epochs) {
      parts.add(parts_of_epoch(line));
    }
  }
  return parts;
}

std::string time_section(std::span<const RunFiles> runs) {
  TimeParts all;
  double longest = 0;
  bool by_steps = false;
  for (const RunFiles& run : runs) {
    const TimeParts parts = time_parts(run);
    longest = std::max(longest, parts.total());
    all.add(parts);
    by_steps = by_steps || !run.steps.empty();
  }
  if (longest <= 0) {
    return "";
  }
  std::string html = R"(<section><h2>Where the time went</h2><div class="card">)" + time_legend(all, by_steps, runs.size() == 1);
  html += R"(<div class="bars">)";
  for (const RunFiles& run : runs) {
    const TimeParts parts = time_parts(run);
    html += parts.total() > 0 ? bar(runs.size() == 1 ? "whole run" : run.name, parts, longest) : "";
  }
  if (runs.size() == 1) {
    html += bars_of_epochs(runs[0]);
  }
  return html + R"(</div><p class="x-title">training steps of worker 0; evaluations and checkpoints are not in it</p></div></section>)" +
         "\n";
}

Accuracy accuracy_of(const RunFiles& run) {
  const std::size_t n = run.classes.size();
  double right = 0;
  for (std::size_t c = 0; c < n; ++c) {
    right += run.confusion[c * n + c];
  }
  const double samples = std::accumulate(run.confusion.begin(), run.confusion.end(), 0.0);
  return {right / samples, samples};
}

std::string confusion_section(const RunFiles& run) {
  const std::size_t n = run.classes.size();
  if (n == 0 || n > kMostDrawn) {
    return "";
  }
  std::vector<double> totals;
  for (std::size_t c = 0; c < n; ++c) {
    const double* const row = run.confusion.data() + c * n;
    totals.push_back(std::accumulate(row, row + n, 0.0));
  }
  const Accuracy accuracy = accuracy_of(run);
  return fmt::format(
      R"(<section><h2>Confusion matrix</h2><p class="lead">{} of {} test samples are classified correctly. Colours are shares of each row.</p><div class="card matrix">{}{}</div></section>)"
      "\n",
      percent(accuracy.share), number(accuracy.samples), n <= kMostNumbered ? matrix_table(run, totals) : matrix_drawing(run, totals),
      most_confused(run, totals));
}

std::string samples_section(const RunFiles& run) {
  const Json& list = member(run.samples, "samples");
  if (!list.is_array() || list.empty()) {
    return "";
  }
  std::string cards;
  for (const Json& sample : list) {
    const std::string image = picture(sample);
    if (image.empty()) {
      cards.clear();
      break;
    }
    cards += sample_card(run.samples, sample, image);
  }
  return fmt::format(
      "<section><h2>Samples</h2><p class=\"lead\">What the model says of {} samples that it was not trained on.</p>{}</section>\n",
      list.size(), cards.empty() ? samples_table(run.samples) : R"(<ul class="samples">)" + cards + "</ul>");
}

std::string settings_section(const RunFiles& run) {
  if (run.settings.empty()) {
    return "";
  }
  std::string html = R"(<section><h2>Settings</h2><dl class="card settings">)";
  for (const auto& [name, value] : run.settings) {
    html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), value.empty() ? "–" : escape(value));
  }
  return html + "</dl></section>\n";
}

}  // namespace lockstep
