#include "ops/define.hpp"

#include <algorithm>

namespace lockstep {

std::vector<TensorType> DefinedOp::infer(std::span<const TensorType> in, const Attrs& attrs) const {
  return parts_.infer(parts_.name, in, attrs);
}

std::vector<Value> DefinedOp::gradient(const GradientCall& call) const {
  return parts_.gradient == nullptr ? Op::gradient(call) : parts_.gradient(call);
}

std::vector<Value> DefinedOp::expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) const {
  return parts_.expand == nullptr ? Op::expand(graph, in, attrs) : parts_.expand(graph, in, attrs);
}

Cost DefinedOp::cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs& attrs) const {
  Cost cost = Op::cost(in, out, attrs);
  cost.flops = parts_.flops * static_cast<double>(out[0].elements());
  if (parts_.cost != nullptr) {
    parts_.cost(cost, in, attrs);
  }
  return cost;
}

std::vector<Value> no_gradient(const GradientCall& call) { return std::vector<Value>(call.inputs.size()); }

std::vector<TensorType> same_as_operand(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, {DType::f32});
  return {in[0]};
}

void images_channels_last(KernelSpec& spec) {
  const auto wanted = [](const TensorType& type) { return type.shape.rank() == 4 ? Layout::channels_last : Layout::plain; };
  std::ranges::transform(spec.in, spec.in_layouts.begin(), wanted);
  std::ranges::transform(spec.out, spec.out_layouts.begin(), wanted);
}

}  // namespace lockstep
