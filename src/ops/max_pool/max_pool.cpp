#include "ops/max_pool/max_pool.hpp"

#include <fmt/format.h>

#include "lockstep/error.hpp"
#include "lockstep/ops.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

void require_index(const TensorType& index, const Windows& s, std::string_view op) {
  if (index != TensorType{s.y(), DType::u8}) {
    throw ShapeError(fmt::format("{}: the index is {}, not u8 {}", op, index.str(), s.y().str()));
  }
}

class MaxPool final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "max_pool"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    const Windows s = windows_on(in[0], attrs, name());
    if (s.window > 16) {
      throw ShapeError(fmt::format("max_pool: a window of {} is larger than 16; max over the axes does whole images", s.window));
    }
    return {{s.y(), DType::f32}, {s.y(), DType::u8}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {call.graph.add(max_pool_backward_op(), backward_attrs(call.attrs, call.inputs[0].shape()), {call.outputs[1], call.grads[0]})};
  }
};

class MaxPoolBackward final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "max_pool_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    const Windows s = windows_under(in[1], attrs, name());
    require_index(in[0], s, name());
    return {{s.x(), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const Attrs attrs{
        {"window", call.attrs.integer("window")}, {"stride", call.attrs.integer("stride")}, {"padding", call.attrs.integer("padding")}};
    return {{}, call.graph.add(max_pool_pick_op(), attrs, {call.inputs[0], call.grads[0]})};
  }
};

class MaxPoolPick final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "max_pool_pick"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    const Windows s = windows_on(in[1], attrs, name());
    require_index(in[0], s, name());
    return {{s.y(), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {{},
            call.graph.add(max_pool_backward_op(), backward_attrs(call.attrs, call.inputs[1].shape()), {call.inputs[0], call.grads[0]})};
  }
};

}  // namespace

const Op& max_pool_op() {
  static const MaxPool op;
  return op;
}
const Op& max_pool_backward_op() {
  static const MaxPoolBackward op;
  return op;
}
const Op& max_pool_pick_op() {
  static const MaxPoolPick op;
  return op;
}

void max_pool_layouts(KernelSpec& spec) {
  follow_layouts(spec);
}

Value max_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding) {
  return x.graph->add(max_pool_op(), {{"window", window}, {"stride", stride}, {"padding", padding}}, {x});
}

}  // namespace lockstep
