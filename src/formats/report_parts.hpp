#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "formats/run_files.hpp"

/// The parts of report.html beside the curves; each is empty where the run has nothing to show.
namespace lockstep {

/// Seconds of a run or of a part of it.
struct TimeParts {
  double compute = 0, data = 0, exchange = 0, update = 0, other = 0;
  [[nodiscard]] double total() const { return compute + data + exchange + update + other; }
  void add(const TimeParts& more);
};

/// What lines of steps.jsonl come to; where there are none, of metrics.jsonl, which tells waiting for data from all else.
[[nodiscard]] TimeParts time_parts(const RunFiles& run);

/// Of one run the whole and its epochs; of several a bar each.
[[nodiscard]] std::string time_section(std::span<const RunFiles> runs);
[[nodiscard]] std::string confusion_section(const RunFiles& run);
[[nodiscard]] std::string samples_section(const RunFiles& run);
[[nodiscard]] std::string settings_section(const RunFiles& run);

/// Of the confusion matrix: the share of its samples on the diagonal, and how many they are.
struct Accuracy {
  double share = 0, samples = 0;
};
[[nodiscard]] Accuracy accuracy_of(const RunFiles& run);

/// report.css and report.js.
extern const char* const kReportCss;
extern const char* const kReportJs;

}  // namespace lockstep
