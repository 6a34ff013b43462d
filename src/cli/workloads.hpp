#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/reader.hpp"
#include "lockstep/nn.hpp"
#include "runtime/aligned.hpp"

namespace lockstep {

/// A model and batch size that speed is measured on. Loss: softmax cross-entropy; SGD with momentum 0.9 and L2 1e-4.
struct Workload {
  std::string name;
  ModelOptions model;
  std::int64_t batch = 64;  ///< of one worker
};
/// mlp-tiny 784-32-10, mlp 784-1024-1024-10, mlp-wide 784-4096-4096-10, cnn, resnet20, gpt. Throws UsageError naming them.
[[nodiscard]] Workload workload(const std::string& name);

/// Keyed random numbers for all that the model reads, for this worker's lanes, made once: f32 in [−1, 1), integers that are classes.
class SyntheticBatch {
 public:
  /// Lanes [lane_begin, lane_end) of `lanes`, each with its even share of `batch` samples.
  SyntheticBatch(const Workload& workload, std::int64_t batch, int lanes, int lane_begin, int lane_end);

  [[nodiscard]] const StepBatch& batch() const { return batch_; }
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] const std::vector<int>& lane_samples() const { return lane_samples_; }

 private:
  std::vector<Field> fields_;
  std::vector<int> lane_samples_;
  std::vector<AlignedBytes> memory_;
  StepBatch batch_;
};

}  // namespace lockstep
