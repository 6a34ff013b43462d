#include "train/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kMostClasses = 256;   ///< of a confusion matrix
constexpr std::size_t kMostOutputs = 1024;  ///< of a regression that are told apart

const TensorType* input_called(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes()) {
    if (node.op == &leaf::input() && node.attrs.text("name") == name) {
      return node.outputs.data();
    }
  }
  return nullptr;
}

std::size_t of_a_sample(const Shape& shape) { return static_cast<std::size_t>(shape.elements() / std::max<std::int64_t>(1, shape[0])); }

}  // namespace

Metrics::Metrics(const Model& model, int top, std::vector<double> scale) : scale_(std::move(scale)) {
  const Graph& graph = model.program("evaluate");
  correct_ = graph.has_output("correct");
  const char* const name = graph.has_output("logits") ? "logits" : "prediction";
  const std::string compared = labels_of(graph, name);
  field_ = compared.empty() ? "labels" : compared;
  const TensorType* const labels = input_called(graph, field_);
  if (labels == nullptr || labels->shape.rank() == 0 || !graph.has_output(name)) {
    return;
  }
  const Shape& shape = graph.type(graph.output(name)).shape;
  const bool alike = shape == labels->shape;
  integers_ = labels->dtype == DType::i32;
  labels_ = of_a_sample(labels->shape);
  output_ = name;
  if (name == std::string_view("prediction") && alike && !integers_) {
    task_ = Task::numbers;
    elements_ = labels_;
    kinds_ = elements_ <= kMostOutputs ? elements_ : 1;
    width_ = 4 * kinds_;
  } else if (name == std::string_view("logits") && alike) {
    task_ = Task::several;
    width_ = 3;
  } else if (name == std::string_view("logits") && integers_ && shape.rank() == labels->shape.rank() + 1) {
    task_ = Task::classes;
    elements_ = static_cast<std::size_t>(shape[-1]);
    matrix_ = labels->shape.rank() == 1 && elements_ <= kMostClasses;
    top_ = top > 1 && static_cast<std::size_t>(top) < elements_ ? static_cast<std::size_t>(top) : 0;
    width_ = 1 + (matrix_ ? elements_ * elements_ : 0);
  } else {
    output_.clear();
  }
}

void Metrics::add(const float* outputs, const std::byte* labels, std::int64_t samples, std::span<double> sums) const {
  const auto count = static_cast<std::size_t>(samples);
  const auto* const integers = reinterpret_cast<const std::int32_t*>(labels);
  const auto* const numbers = reinterpret_cast<const float*>(labels);
  switch (task_) {
    case Task::none:
      return;
    case Task::classes:
      return add_classes(outputs, integers, count * labels_, sums);
    case Task::several:
      return integers_ ? add_several(outputs, integers, count * labels_, sums) : add_several(outputs, numbers, count * labels_, sums);
    case Task::numbers:
      return add_numbers(outputs, numbers, count, sums);
  }
}

/// sums: labels among the top k, then the confusion matrix.
void Metrics::add_classes(const float* logits, const std::int32_t* labels, std::size_t rows, std::span<double> sums) const {
  for (std::size_t r = 0; r < rows; ++r) {
    const float* const x = logits + r * elements_;
    const auto label = static_cast<std::size_t>(labels[r]);
    const auto before = [&](float of) { return of > x[label]; };
    // Of equal logits the first one is the greater, as everywhere.
    const auto better = std::count_if(x, x + elements_, before) + std::count(x, x + label, x[label]);
    sums[0] += static_cast<std::size_t>(better) < top_ ? 1 : 0;
    if (matrix_) {
      sums[1 + label * elements_ + static_cast<std::size_t>(std::max_element(x, x + elements_) - x)] += 1;
    }
  }
}

/// sums: rightly said, wrongly said, missed.
template <class Label>
void Metrics::add_several(const float* logits, const Label* labels, std::size_t count, std::span<double> sums) const {
  for (std::size_t i = 0; i < count; ++i) {
    const bool said = logits[i] > 0, true_label = labels[i] > Label{0};
    sums[0] += said && true_label ? 1 : 0;
    sums[1] += said && !true_label ? 1 : 0;
    sums[2] += !said && true_label ? 1 : 0;
  }
}

/// sums [kinds, 4]: Σ|e|, Σe², Σt, Σt².
void Metrics::add_numbers(const float* y, const float* labels, std::size_t samples, std::span<double> sums) const {
  for (std::size_t i = 0; i < samples * elements_; ++i) {
    double* const to = sums.data() + 4 * (i % elements_ % kinds_);
    const double t = labels[i], e = y[i] - t;
    to[0] += std::abs(e);
    to[1] += e * e;
    to[2] += t;
    to[3] += t * t;
  }
}

std::vector<Figure> Metrics::figures(const StepSums& sums) const {
  std::vector<Figure> figures;
  const auto samples = static_cast<double>(sums.samples);
  const std::vector<double>& m = sums.metrics;
  if (correct_) {
    figures.push_back({"accuracy", sums.correct / samples});
  }
  if (task_ == Task::classes && top_ > 0) {
    figures.push_back({fmt::format("top_{}_accuracy", top_), m[0] / (samples * static_cast<double>(labels_))});
  } else if (task_ == Task::several) {
    figures.push_back({"precision", m[0] / (m[0] + m[1])});
    figures.push_back({"recall", m[0] / (m[0] + m[2])});
    figures.push_back({"f1", 2 * m[0] / (2 * m[0] + m[1] + m[2])});
  } else if (task_ == Task::numbers) {
    const auto kinds = static_cast<double>(kinds_);
    const double count = samples * static_cast<double>(elements_) / kinds;  // of each kind
    double absolute = 0, squares = 0, explained = 0;
    for (std::size_t k = 0; k < kinds_; ++k) {
      const double scale = scale_.empty() ? 1 : scale_[scale_.size() == kinds_ ? k : 0];
      absolute += scale * m[4 * k];
      squares += scale * scale * m[4 * k + 1];
      explained += 1 - m[4 * k + 1] / (m[4 * k + 3] - m[4 * k + 2] * m[4 * k + 2] / count);
    }
    figures.push_back({"mae", absolute / (count * kinds)});
    figures.push_back({"rmse", std::sqrt(squares / (count * kinds))});
    figures.push_back({"r2", explained / kinds});
  }
  return figures;
}

std::vector<std::string> Metrics::names() const {
  std::vector<std::string> names;
  for (const Figure& figure : figures({.samples = 1, .metrics = std::vector<double>(width_)})) {
    names.push_back(figure.name);
  }
  return names;
}

std::span<const double> Metrics::confusion(const StepSums& sums) const {
  return matrix_ ? std::span(sums.metrics).subspan(1) : std::span<const double>();
}

std::string labels_of(const Graph& evaluate, const std::string& output) {
  for (const Node& node : evaluate.nodes()) {
    if (!evaluate.has_output(output) || node.inputs.size() != 2 || node.inputs[0] != evaluate.output(output)) {
      continue;
    }
    const Node& other = evaluate.node(node.inputs[1].node);
    if (other.op == &leaf::input() && (node.op->name() == "mean_squared_error" || node.op->name() == "softmax_cross_entropy")) {
      return other.attrs.text("name");
    }
  }
  return "";
}

}  // namespace lockstep
