#include "ops/average_pool/average_pool.hpp"

#include "lockstep/ops.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

class AveragePool final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "average_pool"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    return {{windows_on(in[0], attrs, name()).y(), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {call.graph.add(average_pool_backward_op(), backward_attrs(call.attrs, call.inputs[0].shape()), {call.grads[0]})};
  }
};

class AveragePoolBackward final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "average_pool_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    return {{windows_under(in[0], attrs, name()).x(), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {average_pool(call.grads[0], call.attrs.integer("window"), call.attrs.integer("stride"), call.attrs.integer("padding"))};
  }
};

}  // namespace

const Op& average_pool_op() {
  static const AveragePool op;
  return op;
}
const Op& average_pool_backward_op() {
  static const AveragePoolBackward op;
  return op;
}

void average_pool_layouts(KernelSpec& spec) {
  follow_layouts(spec);
}

Value average_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding) {
  return x.graph->add(average_pool_op(), {{"window", window}, {"stride", stride}, {"padding", padding}}, {x});
}

}  // namespace lockstep
