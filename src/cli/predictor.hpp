#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "lockstep/nn.hpp"
#include "plan/flat_layout.hpp"
#include "runtime/cpu_executor.hpp"
#include "runtime/lane_team.hpp"
#include "train/metrics.hpp"
#include "train/named_tensor.hpp"

namespace lockstep::cli {

/// What a trained model says of samples, in this process alone. Labels are not needed.
class Predictor {
 public:
  /// `output`: one of the model's evaluation, [n, ...] f32. Throws UsageError if there is none of that name.
  Predictor(const Model& model, const std::string& output, std::span<const NamedTensor> parameters, int threads);

  /// What the output is computed from.
  [[nodiscard]] const std::vector<Field>& inputs() const { return inputs_; }
  /// Of one sample's output.
  [[nodiscard]] const Shape& shape() const { return shape_; }

  /// Calls visit(row, outputs [elements of shape()]) for each of these rows, in order, numbered from 0. The
  /// bits do not depend on the threads. Throws DataError naming the input that the dataset lacks, or has in another shape.
  void run(const Dataset& dataset, RowRange rows, const std::function<void(std::int64_t row, std::span<const float> outputs)>& visit);

 private:
  /// One thread.
  struct Seat {
    AlignedBytes scratch;
    std::optional<CpuExecutor> executor;
    std::vector<AlignedBytes> inputs;  ///< in the order of Plan::inputs; what is beyond the last row is of earlier ones
  };

  std::string output_;
  Model model_;  ///< one program, "predict": the nodes that the output needs
  FlatLayout layout_;
  std::vector<float> parameters_;
  std::vector<Field> inputs_;
  Shape shape_;
  std::optional<Plan> plan_;
  std::vector<Seat> seats_;
  LaneTeam team_;
};

/// What a model says of one sample, [sample], in place: logits become probabilities (of classes: softmax over the last axis; of several
/// labels: each its own), numbers get the units of the data, whose labels' statistics are `labels`.
void to_units(Metrics::Task task, const Shape& sample, const Statistics& labels, std::span<float> outputs);

}  // namespace lockstep::cli
