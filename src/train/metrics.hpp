#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "comm/wish.hpp"
#include "lockstep/nn.hpp"

namespace lockstep {

/// Sums over all lanes of all workers, along the tree.
struct StepSums {
  double loss = 0;     ///< Σ of the samples' losses
  double correct = 0;  ///< samples classified correctly; 0 if the model does not say
  std::int64_t samples = 0;
  Wish wish = Wish::nothing;      ///< the greatest of all workers
  std::vector<double> metrics{};  ///< of an evaluation: what Metrics adds up
};

/// A number that an evaluation comes to.
struct Figure {
  std::string name;
  double value = 0;
  bool operator==(const Figure&) const = default;
};

/// What an evaluation finds out beside the mean loss, from what the model says and the labels. What the model is follows from its outputs:
///   "logits" [n, ..., classes], labels i32 [n, ...]   accuracy; that the label is among the top k; [n, classes]: the confusion matrix
///   "logits" [n, k], labels [n, k]                    accuracy over all labels; precision, recall and F1 (the labels of all taken
///   together) "prediction" [n, ...], labels f32 alike           mae, rmse (over all outputs), r2: 1 − Σ(t − y)² / Σ(t − mean t)², the mean
///   over outputs
/// Counts and sums of squares are added up in double, a lane at a time; they cross lanes along the tree.
class Metrics {
 public:
  /// `scale`: of each output of a regression, in whose units mae and rmse are told; empty: 1.
  explicit Metrics(const Model& model, int top = 5, std::vector<double> scale = {});

  /// How many doubles it adds up.
  [[nodiscard]] std::size_t width() const { return width_; }
  enum class Task : std::uint8_t { none, classes, several, numbers };
  [[nodiscard]] Task task() const { return task_; }
  /// The input that holds the labels of `output`.
  [[nodiscard]] const std::string& labels() const { return field_; }
  /// The output that `add` looks at; empty: none.
  [[nodiscard]] const std::string& output() const { return output_; }
  /// Adds `samples` samples of one lane. `labels` i32 or f32, as the model reads them.
  void add(const float* outputs, const std::byte* labels, std::int64_t samples, std::span<double> sums) const;

  [[nodiscard]] std::vector<Figure> figures(const StepSums& sums) const;
  [[nodiscard]] std::vector<std::string> names() const;
  /// Counts [label, what the model says], in that order; empty where there is no such matrix.
  [[nodiscard]] std::span<const double> confusion(const StepSums& sums) const;
  [[nodiscard]] std::size_t classes() const { return elements_; }

 private:
  void add_classes(const float* logits, const std::int32_t* labels, std::size_t rows, std::span<double> sums) const;
  template <class Label>
  void add_several(const float* logits, const Label* labels, std::size_t count, std::span<double> sums) const;
  void add_numbers(const float* y, const float* labels, std::size_t samples, std::span<double> sums) const;

  Task task_ = Task::none;
  std::string output_, field_;
  bool correct_ = false, matrix_ = false, integers_ = false;
  std::size_t labels_ = 1;    ///< of a sample
  std::size_t elements_ = 1;  ///< outputs for a label; of a regression: for a sample
  std::size_t kinds_ = 1;     ///< of a regression: outputs that are told apart
  std::size_t top_ = 0;       ///< 0: as many classes or fewer
  std::size_t width_ = 0;
  std::vector<double> scale_;
};

/// The input that a loss of the model compares this output with: the field of its labels; empty where there is no such loss.
[[nodiscard]] std::string labels_of(const Graph& evaluate, const std::string& output);

}  // namespace lockstep
