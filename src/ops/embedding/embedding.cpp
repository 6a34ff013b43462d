#include "ops/embedding/embedding.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/gather_backward/gather_backward.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// embedding: a row of a table for each index.  indexes i32 [...], table [rows, width] → y [..., width], f32: y[j, i] = table[indexes[j],
/// i]. An index out of range throws DataError when it runs. Gradient: each row of g added to the row of the table that it came from
/// (gather_backward), in the order of j; none for the indexes.
class EmbeddingOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "embedding"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::i32, DType::f32});
    if (in[1].shape.rank() != 2) {
      throw ShapeError(fmt::format("embedding: the table must be [rows, width], not {}", in[1].shape.str()));
    }
    std::vector<std::int64_t> dims = in[0].shape.dims();
    dims.push_back(in[1].shape[1]);
    return {{Shape(std::move(dims)), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const Shape& table = call.inputs[1].shape();
    const Value indexes = reshape(call.inputs[0], {-1});
    const Value rows = reshape(call.grads[0], {-1, table[1]});
    return {{}, call.graph.add(gather_backward_op(), {{"axis", std::int64_t{0}}, {"rows", table[0]}}, {indexes, rows})};
  }
};

}  // namespace

const Op& embedding_op() {
  static const EmbeddingOp op;
  return op;
}

Value embedding(Value indexes, Value table) {
  return table.graph->add(embedding_op(), {}, {indexes, table});
}

}  // namespace lockstep
