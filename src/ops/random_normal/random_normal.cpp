#include <cmath>
#include <numbers>

#include "ops/keyed.hpp"

/// random_normal: y normal with mean 0 and deviation 1.  → y [shape], f32.
/// Attributes: shape (−1: the number of samples), name: keyed by (seed, name, step, place in the batch, element). No gradient.
/// Two words u, v in (0, 1] and [0, 1) give √(−2 ln u)·cos 2πv and √(−2 ln u)·sin 2πv (Box and Muller 1958); they serve the elements 16
/// apart that words 0 and 1, 2 and 3 of a counter belong to.
namespace lockstep {
namespace {

void reference(const ReferenceCall& call) {
  const KeyedSource source(call.step, "random_normal", call.attrs.text("name"));
  for_each_drawn(samples_of(call.out_types[0].shape), [&](std::size_t at, std::size_t row, std::size_t element) {
    const bool second = (element / kKeyedCounters) % 2 == 1;
    const std::size_t first_of_pair = second ? element - kKeyedCounters : element;
    const double u = unit_float_above_zero(source.word(row, first_of_pair));
    const double turn = 2 * std::numbers::pi * unit_float(source.word(row, first_of_pair + kKeyedCounters));
    call.out[0][at] = std::sqrt(-2 * std::log(u)) * (second ? std::sin(turn) : std::cos(turn));
  });
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) { return drawn_kernel<keyed_normals>("random_normal", spec); }

}  // namespace

constinit const DefinedOp random_normal_op(
    {.name = "random_normal", .infer = infer_drawn, .gradient = no_gradient, .reference = reference, .cpu = cpu});

Value random_normal(Graph& graph, const Shape& shape, const std::string& name) {
  return graph.add(random_normal_op, {{"shape", shape.dims()}, {"name", name}}, {});
}

}  // namespace lockstep
