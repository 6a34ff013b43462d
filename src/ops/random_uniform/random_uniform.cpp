#include "ops/keyed.hpp"

/// random_uniform: y uniform in [0, 1), multiples of 2^−24.  → y [shape], f32.
/// Attributes: shape (−1: the number of samples), name: keyed by (seed, name, step, place in the batch, element). No gradient.
namespace lockstep {
namespace {

void reference(const ReferenceCall& call) {
  const KeyedSource source(call.step, "random_uniform", call.attrs.text("name"));
  for_each_drawn(samples_of(call.out_types[0].shape),
                 [&](std::size_t at, std::size_t row, std::size_t element) { call.out[0][at] = unit_float(source.word(row, element)); });
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) { return drawn_kernel<keyed_uniforms>("random_uniform", spec); }

}  // namespace

constinit const DefinedOp random_uniform_op(
    {.name = "random_uniform", .infer = infer_drawn, .gradient = no_gradient, .reference = reference, .cpu = cpu});

Value random_uniform(Graph& graph, const Shape& shape, const std::string& name) {
  return graph.add(random_uniform_op, {{"shape", shape.dims()}, {"name", name}}, {});
}

}  // namespace lockstep
