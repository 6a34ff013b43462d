#include <fmt/format.h>

#include <cmath>

#include "ops/keyed.hpp"

/// dropout: y = 0 with probability `rate`, else x / (1 − rate), each element by itself.  x [n, ...] → y [n, ...], f32.
/// Attributes: rate in [0, 1), name: the mask is keyed by (seed, name, step, place in the batch, element), so nothing is kept of it.
/// Gradient: dropout of g with the same mask.  Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::f32});
  const double rate = attrs.real("rate");
  if (!(rate >= 0 && rate < 1)) {
    throw ShapeError(fmt::format("dropout '{}': the rate {} is not in [0, 1)", attrs.text("name"), rate));
  }
  return {in[0]};
}

std::vector<Value> gradient(const GradientCall& call) { return {call.graph.add(dropout_op, call.attrs, {call.grads[0]})}; }

void reference(const ReferenceCall& call) {
  const KeyedSource source(call.step, "dropout", call.attrs.text("name"));
  const double rate = call.attrs.real("rate");
  for_each_drawn(samples_of(call.in_types[0].shape), [&](std::size_t at, std::size_t row, std::size_t element) {
    call.out[0][at] = unit_double(source.word(row, element), 0) < rate ? 0 : call.in[0][at] / (1 - rate);
  });
}

/// y = 0 where the word is below the threshold, else x·scale.
void mask(float* __restrict y, const float* __restrict x, const std::uint32_t* words, std::size_t n, std::uint32_t threshold, float scale) {
  for (std::size_t i = 0; i < n; ++i) {
    const float kept = x[i] * scale;
    y[i] = words[i] < threshold ? 0.0F : kept;
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const double rate = spec.attrs.real("rate");
  // word / 2^32 < rate, in integers
  const auto threshold = static_cast<std::uint32_t>(std::min(std::ceil(rate * 0x1p32), 0x1p32 - 1));
  const auto scale = static_cast<float>(1 / (1 - rate));
  const auto block = [threshold, scale](const CpuCall& call, const KeyedWords& words, std::size_t begin, std::size_t count) {
    mask(call.output(0) + begin, call.input(0) + begin, words.data(), count, threshold, scale);
  };
  return keyed_kernel("dropout", spec.attrs, spec.in[0], block);
}

}  // namespace

constinit const DefinedOp dropout_op({.name = "dropout", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value dropout(Value x, double rate, const std::string& name) { return x.graph->add(dropout_op, {{"rate", rate}, {"name", name}}, {x}); }

}  // namespace lockstep
