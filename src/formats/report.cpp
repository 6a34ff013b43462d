#include "formats/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "data/sha256.hpp"
#include "formats/base64.hpp"
#include "formats/chart.hpp"
#include "formats/html.hpp"
#include "formats/report_parts.hpp"
#include "formats/run_results.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

using Json = RunFiles::Json;
using Runs = std::span<const RunFiles>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ---- curves

/// Steps of an epoch; NaN while none has ended.
double steps_of_epoch(const RunFiles& run) {
  return run.epochs.empty() ? kNan : number_at(run.epochs[0], "step") / number_at(run.epochs[0], "epoch");
}

/// Where the lines of a page's charts stand: in epochs, or in steps where some run has not ended one.
struct Place {
  bool epochs = true;
  double first = 0;  ///< of the charts
  std::string label;

  explicit Place(Runs runs) {
    epochs = std::ranges::all_of(runs, [](const RunFiles& run) { return steps_of_epoch(run) > 0; });
    first = epochs && std::ranges::all_of(runs, [](const RunFiles& run) { return run.steps.empty(); }) ? 1 : 0;
    label = !epochs ? "step" : "epoch";
    if (epochs && runs.size() == 1) {
      const double steps = steps_of_epoch(runs[0]);
      label += fmt::format(" ({} step{} each)", number(steps), steps == 1 ? "" : "s");
    }
  }

  [[nodiscard]] std::vector<double> of(const RunFiles& run, const std::vector<Json>& lines) const {
    std::vector<double> places = column(lines, "step");
    if (epochs) {
      std::ranges::transform(places, places.begin(), [&](double step) { return step / steps_of_epoch(run); });
    }
    return places;
  }
};

/// The charts of one run: a colour a figure; of several: a colour a run.
class Charts {
 public:
  explicit Charts(Runs runs) : runs_(runs), place_(runs) {}

  [[nodiscard]] std::string all() const {
    std::string html = one() ? loss_of_one() : by_epoch("train_loss", "Training loss") + by_epoch("validation_loss", "Validation loss");
    html += figures();
    html += by_step("learning_rate", "Learning rate", "", true);
    html += by_step("gradient_norm", "Gradient norm", "Euclidean, mean over steps", false);
    html += by_epoch("parameter_norm", "Parameter norm");
    html += penalty();
    html += speed();
    return html.empty() ? "" : "<section><h2>Curves</h2><div class=\"charts\">\n" + html + "</div></section>\n";
  }

 private:
  [[nodiscard]] bool one() const { return runs_.size() == 1; }
  [[nodiscard]] Chart chart(std::string title, std::string note) const {
    Chart chart{std::move(title), std::move(note), place_.label, {}};
    chart.x_first = place_.first;
    return chart;
  }
  [[nodiscard]] Series line(std::size_t run, const std::string& name, const std::vector<Json>& lines, const std::string& key,
                            std::size_t colour) const {
    return {one() ? name : runs_[run].name, place_.of(runs_[run], lines), column(lines, key), one() ? colour : run, false, run};
  }

  [[nodiscard]] std::string loss_of_one() const {
    Chart loss = chart("Loss", "mean of a sample");
    loss.series.push_back(line(0, "training, step by step", runs_[0].steps, "loss", 0));
    loss.series.back().faint = true;
    loss.series.push_back(line(0, "training", runs_[0].epochs, "train_loss", 0));
    loss.series.push_back(line(0, "validation", runs_[0].epochs, "validation_loss", 1));
    return draw(loss);
  }

  /// Shares of one run in one chart, errors in another.
  [[nodiscard]] std::string figures() const {
    const std::vector<std::string> names = figures_of(runs_);
    if (!one()) {
      std::string html;
      for (const std::string& name : names) {
        html += by_epoch(name, "Validation " + title_of(name));
      }
      return html;
    }
    Chart shares = chart("Validation", "share of the samples"), errors = chart("Validation errors", "in units of the labels");
    std::string others;
    for (const std::string& name : names) {
      if (!is_share(name) && !less_is_better(name)) {
        others += by_epoch(name, "Validation " + title_of(name));
        continue;
      }
      Chart& to = is_share(name) ? shares : errors;
      to.series.push_back(line(0, title_of(name), runs_[0].epochs, name, to.series.size() + 1));
    }
    shares.shares = true;
    return draw(shares) + draw(errors) + others;
  }

  [[nodiscard]] std::string by_epoch(const std::string& key, const std::string& title) const {
    Chart result = chart(title, "");
    result.shares = is_share(key);
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      result.series.push_back(line(run, title_of(key), runs_[run].epochs, key, 1));
    }
    return draw(result);
  }

  /// From steps.jsonl, or from metrics.jsonl where a run has none.
  [[nodiscard]] std::string by_step(const std::string& key, const std::string& title, const std::string& note, bool from_zero) const {
    Chart result = chart(title, note);
    result.from_zero = from_zero;
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      const std::vector<Json>& lines = runs_[run].steps.empty() ? runs_[run].epochs : runs_[run].steps;
      result.series.push_back(line(run, title_of(key), lines, key, 0));
    }
    return draw(result);
  }

  [[nodiscard]] std::string penalty() const {
    const bool some = std::ranges::any_of(runs_, [](const RunFiles& run) { return sum_of(column(run.epochs, "penalty")) > 0; });
    return some ? by_epoch("penalty", "Penalty") : "";
  }

  [[nodiscard]] std::string speed() const {
    Chart result = chart("Speed", "samples/s of the whole job");
    result.from_zero = true;
    for (std::size_t run = 0; run < runs_.size(); ++run) {
      const RunFiles& of = runs_[run];
      result.series.push_back(line(run, "samples/s", of.steps.empty() ? of.epochs : of.steps, "samples_per_second", 2));
      if (!of.steps.empty()) {
        const std::vector<double> seconds = column(of.steps, "seconds");
        std::vector<double>& rate = result.series.back().y;
        rate = column(of.steps, "samples");
        std::ranges::transform(rate, seconds, rate.begin(), [](double samples, double in) { return in > 0 ? samples / in : kNan; });
      }
    }
    return draw(result);
  }

  Runs runs_;
  Place place_;
};

// ---- the head of the page

std::string tile(const std::string& name, const std::string& value, const std::string& note) {
  return fmt::format("<div class=\"tile\"><dt>{}</dt><dd>{}</dd><p>{}</p></div>\n", escape(name), escape(value), escape(note));
}

/// Workers that steps.jsonl calls slow, and in how many of its lines.
std::map<std::string, std::size_t> slow_workers(const RunFiles& run) {
  std::map<std::string, std::size_t> lines;
  for (const Json& line : run.steps) {
    if (line.contains("slow") && line["slow"].is_string()) {
      ++lines[line["slow"].get<std::string>()];
    }
  }
  return lines;
}

std::string tiles(const RunFiles& run) {
  std::string html = "<dl class=\"tiles\">\n";
  if (const Json* const best = best_epoch(run); best != nullptr) {
    const bool validated = std::isfinite(number_at(*best, "validation_loss"));
    const char* const key = validated ? "validation_loss" : "train_loss";
    html += tile(validated ? "best validation loss" : "best training loss", number(number_at(*best, key)),
                 fmt::format("epoch {} of {}", number(number_at(*best, "epoch")), run.epochs.size()));
    const std::vector<std::string> figures = figures_of({&run, 1});
    if (!figures.empty()) {
      const Json& model = *model_epoch(run);
      html += tile("validation " + title_of(figures[0]), value_of(figures[0], number_at(model, figures[0])),
                   fmt::format("after epoch {}", number(number_at(model, "epoch"))));
    }
  }
  if (!run.confusion.empty()) {
    const Accuracy accuracy = accuracy_of(run);
    html += tile("test accuracy", percent(accuracy.share), number(accuracy.samples) + " samples");
  }
  const TimeParts parts = time_parts(run);
  if (parts.total() > 0) {
    html += tile("training time", duration(parts.total()), fmt::format("{} steps, {} epochs", number(steps_of(run)), run.epochs.size()));
    html += tile("samples/s", number(std::round(samples_per_second(run))), percent(parts.data / parts.total()) + " waiting for data");
  }
  for (const auto& [workers, lines] : slow_workers(run)) {
    html += tile("slow", workers,
                 fmt::format("took more than 1.5 times as long as the median in {} of {} lines of steps", lines, run.steps.size()));
  }
  return html + "</dl>\n";
}

/// "cnn · batch 128 in 32 lanes · sgd, learning rate 0.01 · seed 1"
std::string summary(const RunFiles& run) {
  const auto said = [&](const char* name, const char* before, const char* after = "") {
    const std::string value = run.setting(name);
    return value.empty() ? "" : before + value + after;
  };
  return escape(said("model", "") + said("batch", " · batch ") + said("lanes", " in ", " lanes") + said("optimizer", " · ") +
                said("lr", ", learning rate ") + said("schedule", ", ") + said("seed", " · seed "));
}

// ---- the table of several runs

struct Column {
  std::string title;
  std::vector<std::string> cells;
  std::vector<double> ranks;  ///< the least is the best; empty: there is none
  bool numbers = true;
};

/// Losses and figures at each run's best epoch, and what else it came to.
std::vector<Column> result_columns(Runs runs) {
  std::vector<Column> columns;
  const auto add = [&](const std::string& title, const std::string& key, auto value) {
    Column column{title, {}, {}};
    for (const RunFiles& run : runs) {
      const double number = value(run);
      column.cells.push_back(value_of(key, number));
      column.ranks.push_back(std::isfinite(number) ? (less_is_better(key) ? number : -number) : std::numeric_limits<double>::infinity());
    }
    if (std::ranges::any_of(column.ranks, [](double rank) { return std::isfinite(rank); })) {
      columns.push_back(std::move(column));
    }
  };
  const auto at_best = [](const std::string& key) {
    return [key](const RunFiles& run) {
      const Json* const best = best_epoch(run);
      return best == nullptr ? kNan : number_at(*best, key);
    };
  };
  add("best epoch", "epoch", at_best("epoch"));
  if (!columns.empty()) {
    columns.back().ranks.clear();
  }
  std::vector<std::string> keys = figures_of(runs);
  keys.insert(keys.begin(), {"validation_loss", "train_loss"});
  for (const std::string& key : keys) {
    add(key == "train_loss" ? "training loss" : "validation " + title_of(key), key, at_best(key));
  }
  add("test accuracy", "accuracy", [](const RunFiles& run) { return accuracy_of(run).share; });
  Column speed{"samples/s", {}, {}};
  Column time{"time", {}, {}};
  Column hash{"parameters", {}, {}, false};
  for (const RunFiles& run : runs) {
    speed.cells.push_back(number(std::round(samples_per_second(run))));
    time.cells.push_back(time_parts(run).total() > 0 ? duration(time_parts(run).total()) : "–");
    hash.cells.push_back(hash_of(run).substr(0, 12));
  }
  columns.push_back(std::move(speed));
  columns.push_back(std::move(time));
  columns.push_back(std::move(hash));
  return columns;
}

std::string runs_table(Runs runs) {
  std::string html = R"(<section><h2>Runs</h2><p class="lead">Settings that differ, and what each run came to at its best epoch.</p>)"
                     R"(<div class="card scroll"><table class="runs"><thead><tr><th>run</th>)";
  const std::vector<std::string> settings = differing_settings(runs);
  const std::vector<Column> columns = result_columns(runs);
  for (const std::string& name : settings) {
    html += fmt::format(R"(<th class="setting">{}</th>)", escape(name));
  }
  for (const Column& column : columns) {
    html += fmt::format(R"(<th class="{}">{}</th>)", column.numbers ? "num" : "", escape(column.title));
  }
  html += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < runs.size(); ++r) {
    html +=
        fmt::format(R"(<tr data-run="{}"><th><svg class="key series {}" viewBox="0 0 18 8"><path class="line" d="M1 4H17"/></svg>{}</th>)",
                    r, looks(r), escape(runs[r].name));
    for (const std::string& name : settings) {
      html += fmt::format(R"(<td class="setting" title="{0}">{0}</td>)", escape(runs[r].setting(name)));
    }
    for (const Column& column : columns) {
      const bool best = !column.ranks.empty() && column.ranks[r] == std::ranges::min(column.ranks) && std::isfinite(column.ranks[r]);
      html += fmt::format(R"(<td class="{}{}">{}</td>)", column.numbers ? "num" : "mono", best ? " best" : "", escape(column.cells[r]));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div></section>\n";
}

std::string header(Runs runs) {
  if (runs.size() > 1) {
    return fmt::format("<header><p class=\"eyebrow\">Lockstep · comparison</p><h1>{} runs</h1></header>\n", runs.size()) + runs_table(runs);
  }
  const std::string hash = hash_of(runs[0]);
  return fmt::format("<header><p class=\"eyebrow\">Lockstep · training run</p><h1>{}</h1><p class=\"summary\">{}</p></header>\n{}{}",
                     escape(runs[0].name), summary(runs[0]), tiles(runs[0]),
                     hash.empty() ? "" : fmt::format("<p class=\"hash\">SHA-256 of the parameters <code>{}</code></p>\n", escape(hash)));
}

std::string details(const RunFiles& run) { return confusion_section(run) + samples_section(run) + settings_section(run); }

}  // namespace

std::string report(Runs runs) {
  std::string body = header(runs) + Charts(runs).all() + time_section(runs);
  if (runs.size() == 1) {
    body += details(runs[0]);
  } else {
    for (const RunFiles& run : runs) {
      const std::string parts = details(run);
      body += parts.empty() ? "" : fmt::format("<details><summary>{}</summary>{}</details>\n", escape(run.name), parts);
    }
  }
  Sha256 script;
  script.update(kReportJs);
  const std::string title = runs.size() == 1 ? runs[0].name : fmt::format("{} runs", runs.size());
  return fmt::format(
      R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{}'">
<meta name="color-scheme" content="light dark"><meta name="generator" content="Lockstep"><link rel="icon" href="data:,">
<title>{} · Lockstep</title><style>{}</style></head>
<body><main>
{}</main><script>{}</script></body></html>
)",
      base64(script.finish()), escape(title), kReportCss, body, kReportJs);
}

void write_report(std::span<const std::filesystem::path> folders, const std::filesystem::path& file) {
  std::vector<RunFiles> runs;
  for (const std::filesystem::path& folder : folders) {
    runs.push_back(read_run(folder));
  }
  write_whole_file(file, report(runs));
}

}  // namespace lockstep
