#include <fmt/format.h>

#include <cstring>

#include "ops/define.hpp"

/// embedding: a row of a table for each index.  indexes i32 [...], table [rows, width] → y [..., width], f32:
/// y[j, i] = table[indexes[j], i].  An index out of range throws DataError when it runs.
/// Gradient: each row of g added to the row of the table that it came from (gather_backward), in the order of j; none for the indexes.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, {DType::i32, DType::f32});
  if (in[1].shape.rank() != 2) {
    throw ShapeError(fmt::format("embedding: the table must be [rows, width], not {}", in[1].shape.str()));
  }
  std::vector<std::int64_t> dims = in[0].shape.dims();
  dims.push_back(in[1].shape[1]);
  return {{Shape(std::move(dims)), DType::f32}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const Shape& table = call.inputs[1].shape();
  const Value indexes = reshape(call.inputs[0], {-1});
  const Value rows = reshape(call.grads[0], {-1, table[1]});
  return {{}, call.graph.add(gather_backward_op, {{"axis", std::int64_t{0}}, {"rows", table[0]}}, {indexes, rows})};
}

void reference(const ReferenceCall& call) {
  const Shape& table = call.in_types[1].shape;
  const auto width = static_cast<std::size_t>(table[1]);
  for (std::size_t j = 0; j < call.in[0].size(); ++j) {
    const std::size_t row = checked_index(static_cast<std::int64_t>(call.in[0][j]), table[0], "embedding", "index", j);
    for (std::size_t i = 0; i < width; ++i) {
      call.out[0][j * width + i] = call.in[1][row * width + i];
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const auto count = static_cast<std::size_t>(spec.in[0].elements());
  const auto width = static_cast<std::size_t>(spec.in[1].shape[1]);
  return make_kernel([count, width, rows = spec.in[1].shape[0]](const CpuCall& call) {
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t row = checked_index(call.input<std::int32_t>(0)[j], rows, "embedding", "index", j);
      std::memcpy(call.output(0) + j * width, call.input(1) + row * width, width * sizeof(float));
    }
  });
}

}  // namespace

constinit const DefinedOp embedding_op({.name = "embedding", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value embedding(Value indexes, Value table) { return table.graph->add(embedding_op, {}, {indexes, table}); }

}  // namespace lockstep
