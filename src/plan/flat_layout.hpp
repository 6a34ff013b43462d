#pragma once

#include "lockstep/graph.hpp"

namespace lockstep {

/// Elements of the flat arrays that are worked on together: at most 1,024, of one tensor.
inline constexpr std::int64_t kAtom = 1024;

struct FlatTensor {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  ///< in the flat arrays, a multiple of 16
  std::int64_t count = 0;
  bool trained = true;    ///< false: state, updated by `momentum`
  double momentum = 0;    ///< of state: weight of the new value
  bool penalised = true;  ///< false: a bias or a norm's gain or bias (rank below 2)
  Initializer init;
};

struct FlatRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// How parameters, gradients and optimizer state lie in flat arrays, the same on every worker: in the order in which backpropagation
/// finishes the gradients, so that a bucket is a short list of ranges. State follows the same rules as parameters.
struct FlatLayout {
  std::vector<FlatTensor> tensors;              ///< by offset
  std::vector<std::vector<FlatRange>> buckets;  ///< in the order in which they are finished
  std::int64_t size = 0;                        ///< elements, with the padding between tensors

  [[nodiscard]] const FlatTensor& tensor(const std::string& name) const;
  [[nodiscard]] bool contains(const std::string& name) const;
  /// The bucket that an element lies in.
  [[nodiscard]] int bucket_of(std::int64_t element) const;
};

}  // namespace lockstep
