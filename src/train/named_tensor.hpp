#pragma once

#include <string>
#include <vector>

#include "lockstep/tensor.hpp"

namespace lockstep {

/// A tensor as it is stored: plain row-major, under PyTorch's state_dict name. values.size() = shape.elements().
struct NamedTensor {
  std::string name;
  Shape shape;
  std::vector<float> values;
  bool operator==(const NamedTensor&) const = default;
};

}  // namespace lockstep
