#include <fmt/format.h>

#include "ops/reduction.hpp"

/// mean_squared_error: y_i = mean over all but the first axis of (x − t)²: one number a sample.  x, t f32 [n, ...] → y f32 [n].
/// Gradient, m numbers a sample: g·2(x − t)/m for x, the opposite for t.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, {DType::f32, DType::f32});
  if (in[0].shape != in[1].shape || in[0].shape.rank() == 0) {
    throw ShapeError(fmt::format("mean_squared_error: {} and {} must have one shape, with samples along the first axis", in[0].shape.str(),
                                 in[1].shape.str()));
  }
  return {{{in[0].shape[0]}, DType::f32}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0], t = call.inputs[1];
  std::vector<std::int64_t> column(x.shape().dims().size(), 1);
  column[0] = x.shape()[0];
  const Value scaled = mul(call.grads[0], call.graph.constant(2.0 / static_cast<double>(samples_of(x.shape()).length)));
  const Value gradient = mul(sub(x, t), reshape(scaled, Shape(std::move(column))));
  return {gradient, neg(gradient)};
}

void reference(const ReferenceCall& call) {
  const Rows samples = samples_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < samples.count; ++r) {
    double total = 0;
    for (std::size_t i = r * samples.length; i < (r + 1) * samples.length; ++i) {
      total += (call.in[0][i] - call.in[1][i]) * (call.in[0][i] - call.in[1][i]);
    }
    call.out[0][r] = total / static_cast<double>(samples.length);
  }
}

/// Σ (x − t)² with 32 accumulators: the order depends on n alone.
float squared_distance(const float* x, const float* t, std::size_t n) {
  constexpr std::size_t kWidth = 32;
  std::array<float, kWidth> part{};
  std::size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    for (std::size_t j = 0; j < kWidth; ++j) {
      part[j] += (x[i + j] - t[i + j]) * (x[i + j] - t[i + j]);
    }
  }
  for (std::size_t j = 0; i + j < n; ++j) {
    part[j] += (x[i + j] - t[i + j]) * (x[i + j] - t[i + j]);
  }
  return fold_row<SumFold>(part.data(), kWidth);
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([samples = samples_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < samples.count; ++r) {
      const std::size_t begin = r * samples.length;
      call.output(0)[r] =
          squared_distance(call.input(0) + begin, call.input(1) + begin, samples.length) / static_cast<float>(samples.length);
    }
  });
}

}  // namespace

constinit const DefinedOp mean_squared_error_op(
    {.name = "mean_squared_error", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value mean_squared_error(Value y, Value target) { return y.graph->add(mean_squared_error_op, {}, {y, target}); }

}  // namespace lockstep
