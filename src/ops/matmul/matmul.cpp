#include "ops/matmul/matmul.hpp"

#include <fmt/format.h>

#include <numeric>

#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

/// x with its last two axes swapped.
Value swapped(Value x) {
  std::vector<std::int64_t> order(x.shape().rank());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return transpose(x, order);
}

/// [..., rows, columns] → [all rows, columns]
Value stacked(Value x) { return x.shape().rank() == 2 ? x : reshape(x, {-1, x.shape()[-1]}); }

Value gradient_of_a(Value a, Value b, Value g, bool ta, bool tb) {
  if (!ta) {
    return matmul(g, b, false, !tb);
  }
  if (b.shape().rank() < a.shape().rank()) {
    return swapped(matmul(g, b, false, !tb));
  }
  return matmul(b, g, tb, true);
}

Value gradient_of_b(Value a, Value b, Value g, bool ta, bool tb) {
  if (b.shape().rank() < a.shape().rank()) {
    a = stacked(ta ? swapped(a) : a);
    g = stacked(g);
    ta = false;
  }
  return tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false);
}

std::vector<TensorType> matmul_infer(std::string_view, std::span<const TensorType> in, const Attrs& attrs) {
  const MatmulSizes s = matmul_sizes(in, attrs);
  std::vector<std::int64_t> dims = in[0].shape.dims();
  dims[dims.size() - 2] = s.m;
  dims[dims.size() - 1] = s.n;
  return {{Shape(std::move(dims)), DType::f32}};
}

std::vector<Value> matmul_gradient(const GradientCall& call) {
  require_no_activation(call.attrs, "matmul");
  const Value g = call.grads[0], a = call.inputs[0], b = call.inputs[1];
  const bool ta = call.attrs.integer("transpose_a") != 0, tb = call.attrs.integer("transpose_b") != 0;
  std::vector<Value> result{gradient_of_a(a, b, g, ta, tb), gradient_of_b(a, b, g, ta, tb)};
  if (call.inputs.size() == 3) {
    result.push_back(sum(stacked(g), {0}));
  }
  return result;
}

void matmul_cost(Cost& cost, std::span<const TensorType> in, const Attrs& attrs) {
  const MatmulSizes s = matmul_sizes(in, attrs);
  cost.flops = 2.0 * static_cast<double>(s.batch) * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
}

}  // namespace

MatmulSizes matmul_sizes(std::span<const TensorType> in, const Attrs& attrs) {
  const Shape &a = in[0].shape, &b = in[1].shape;
  MatmulSizes s;
  s.transpose_a = attrs.integer("transpose_a") != 0;
  s.transpose_b = attrs.integer("transpose_b") != 0;
  const auto refuse = [&](std::string_view why) {
    throw ShapeError(fmt::format("matmul: {} and {} do not fit{}{}: {}", in[0].str(), in[1].str(), s.transpose_a ? ", transpose_a" : "",
                                 s.transpose_b ? ", transpose_b" : "", why));
  };
  for (const TensorType& type : in) {
    if (type.dtype != DType::f32) {
      refuse("all operands must be f32");
    }
  }
  if (a.rank() < 2 || b.rank() < 2) {
    refuse("an operand has fewer than two axes");
  }
  s.shared_b = b.rank() == 2 && a.rank() > 2;
  if (!s.shared_b && (a.rank() != b.rank() || !std::equal(a.dims().begin(), a.dims().end() - 2, b.dims().begin()))) {
    refuse("their leading axes differ");
  }
  s.m = a[s.transpose_a ? -1 : -2];
  s.k = a[s.transpose_a ? -2 : -1];
  s.n = b[s.transpose_b ? -2 : -1];
  if (const std::int64_t k = b[s.transpose_b ? -1 : -2]; k != s.k) {
    refuse(fmt::format("the summed axes are {} and {} long", s.k, k));
  }
  if (in.size() > 2 && in[2].shape != Shape{s.n}) {
    refuse(fmt::format("the bias is {}, not [{}]", in[2].shape.str(), s.n));
  }
  for (int i = 0; i < a.rank() - 2; ++i) {
    s.batch *= a[i];
  }
  return s;
}

constinit const DefinedOp matmul_op({.name = "matmul",
                                     .infer = matmul_infer,
                                     .gradient = matmul_gradient,
                                     .cost = matmul_cost,
                                     .reference = matmul_reference,
                                     .cpu = matmul_cpu});

Value matmul(Value a, Value b, bool transpose_a, bool transpose_b, Value bias) {
  std::vector<Value> inputs{a, b};
  if (bias) {
    inputs.push_back(bias);
  }
  return a.graph->add(matmul_op, {{"transpose_a", std::int64_t{transpose_a}}, {"transpose_b", std::int64_t{transpose_b}}}, inputs);
}

}  // namespace lockstep
