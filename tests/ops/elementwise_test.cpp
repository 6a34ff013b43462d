#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

struct Unary {
  const char* name;
  double low, high;  // where it is compared
  Attrs attrs = {};
  bool smooth = true;
};
// Points near a corner (0) are left out of the gradient check by even_numbers with an even count.
const std::vector<Unary> kUnary{
    {"neg", -5, 5},
    {"square", -5, 5},
    {"exp", -80, 80},
    {"log", 1e-3, 50},
    {"sqrt", 1e-3, 50},
    {"erf", -5, 5},
    {"sigmoid", -30, 30},
    {"tanh", -12, 12},
    {"relu", -5, 5},
    {"elu", -8, 8, {{"alpha", 0.7}}},
    {"softplus", -30, 30},
    {"gelu", -6, 6},
    {"gelu_slope", -6, 6},
    {"silu", -30, 30},
    {"step", -5, 5, {}, false},
    {"broadcast_to", -5, 5, {}, false},
};
const std::vector<const char*> kBinary{"add", "sub", "mul", "div", "maximum", "equal"};

const Op& op(const char* name) { return *find_op(name)->op; }

Attrs attrs_for(const Unary& u, const Shape& shape) {
  Attrs attrs = u.attrs;
  return std::string_view(u.name) == "broadcast_to" ? attrs.set("shape", shape.dims()) : attrs;
}

TEST(Elementwise, EveryElementwiseOpIsListedHere) {
  for (const OpEntry& line : op_table()) {
    if (line.tile == nullptr) {
      continue;
    }
    const auto named = [&](const auto& item) {
      if constexpr (std::is_same_v<std::decay_t<decltype(item)>, Unary>) {
        return line.op->name() == item.name;
      } else {
        return line.op->name() == item;
      }
    };
    EXPECT_TRUE(std::any_of(kUnary.begin(), kUnary.end(), named) || std::any_of(kBinary.begin(), kBinary.end(), named)) << line.op->name();
    EXPECT_TRUE(line.op->elementwise());
  }
}

TEST(Elementwise, UnaryTilesMatchTheReference) {
  for (const Unary& u : kUnary) {
    for (const std::int64_t n : kOddSizes) {
      // exp over a wide range: the tolerance must be relative to each element, so each is its own scale there
      const OpCase c{op(u.name), attrs_for(u, {n}), {{{n}, DType::f32}}, {even_numbers(n, u.low, u.high)}};
      expect_cpu_matches_reference(c, 1e-6);
    }
  }
}

TEST(Elementwise, UnaryTilesKeepRelativePrecision) {
  for (const Unary& u : kUnary) {
    if (std::string_view(u.name).starts_with("gelu")) {
      continue;  // far below 0 the rounding of x² grows in exp(−x²/2), and the slope has a zero
    }
    const OpCase c{op(u.name), attrs_for(u, {1000}), {{{1000}, DType::f32}}, {even_numbers(1000, u.low, u.high)}};
    const Numbers got = cpu_outputs(c)[0], wanted = reference_outputs(c)[0];
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], wanted[i], 1e-6 * std::abs(wanted[i])) << u.name << " at " << c.data[0][i];
    }
  }
}

TEST(Elementwise, NotANumberAndInfinitiesPassAsInTheReference) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const Numbers special{kInf, -kInf, std::numeric_limits<double>::quiet_NaN(), 0, 1e30, -1e30, 200, -200};
  for (const Unary& u : kUnary) {
    if (std::string_view(u.name).starts_with("gelu") || std::string_view(u.name) == "silu") {
      continue;  // ∞ · 0: NaN in both or neither, by the order of the rounding
    }
    OpCase c{op(u.name), attrs_for(u, {8}), {{{8}, DType::f32}}, {special}};
    Numbers wanted = reference_outputs(c)[0];
    for (double& w : wanted) {
      w = static_cast<float>(w);  // overflows as float does
      w = std::abs(w) < std::numeric_limits<float>::min() ? 0 : w;
    }
    expect_close(cpu_outputs(c)[0], wanted, 1e-6, u.name);
  }
  for (const char* name : {"gelu", "silu", "relu", "sigmoid", "tanh", "exp", "log", "softplus"}) {
    EXPECT_TRUE(std::isnan(cpu_outputs({op(name), {}, {{{1}, DType::f32}}, {{special[2]}}})[0][0])) << name;
  }
}

TEST(Elementwise, BinaryTilesMatchTheReferenceForBroadcastOperands) {
  const std::vector<std::pair<Shape, Shape>> shapes{{{7}, {7}},      {{5, 3}, {3}},   {{5, 3}, {5, 1}},    {{1, 4}, {3, 1}},
                                                    {{2, 3, 5}, {}}, {{}, {2, 1030}}, {{2, 1, 4}, {3, 1}}, {{1}, {1}}};
  for (const char* name : kBinary) {
    for (const auto& [a, b] : shapes) {
      expect_cpu_matches_reference({op(name), {}, {{a, DType::f32}, {b, DType::f32}}});
    }
  }
  const Numbers a{1, 2, 2, std::nan(""), 0}, b{2, 1, 2, 0, std::nan("")};
  expect_cpu_matches_reference({op("equal"), {}, {{{5}, DType::f32}, {{5}, DType::f32}}, {a, b}});
  expect_cpu_matches_reference({op("maximum"), {}, {{{5}, DType::f32}, {{5}, DType::f32}}, {a, b}});
}

TEST(Elementwise, FirstAndSecondDerivativesOfUnaryOps) {
  for (const Unary& u : kUnary) {
    if (!u.smooth) {
      continue;
    }
    const bool positive = u.low > 0;
    const GradientCase c{{{6}},
                         [&](Graph& graph, const std::vector<Value>& p) { return graph.add(op(u.name), u.attrs, {p[0]}); },
                         {even_numbers(6, positive ? 0.5 : -2.5, 2.5)}};
    SCOPED_TRACE(u.name);
    expect_gradient(c);
    expect_second_gradient(c);
  }
}

TEST(Elementwise, FirstAndSecondDerivativesOfBinaryOpsWithBroadcasting) {
  const std::vector<std::pair<Shape, Shape>> shapes{{{4}, {4}}, {{3, 2}, {2}}, {{3, 2}, {3, 1}}, {{1, 2}, {3, 1}}, {{2, 3}, {}}};
  for (const char* name : kBinary) {
    for (const auto& [a, b] : shapes) {
      Numbers divisor = normal_numbers(b.elements(), 7);
      for (double& d : divisor) {
        d += d > 0 ? 0.5 : -0.5;
      }
      const GradientCase c{{a, b}, [&](Graph& graph, const std::vector<Value>& p) { return graph.add(op(name), {}, p); }, {{}, divisor}};
      SCOPED_TRACE(name);
      if (std::string_view(name) != "equal") {
        expect_gradient(c);
        expect_second_gradient(c);
      }
    }
  }
}

TEST(Elementwise, NoGradientFlowsThroughStepAndEqual) {
  const GradientCase c{{{4}, {4}}, [](Graph&, const std::vector<Value>& p) { return add(mul(step(p[0]), p[1]), equal(p[0], p[1])); }};
  expect_gradient(c);
}

TEST(Elementwise, MaximumSharesTheGradientBetweenEquals) {
  // torch.autograd.grad(torch.maximum(p, q).sum(), [p, q]) for p = [1, 2, 2], q = [2, 1, 2]
  const GradientCase c{{{3}, {3}},
                       [](Graph&, const std::vector<Value>& p) {
                         const std::vector<Value> g = differentiate(sum(maximum(p[0], p[1])), p);
                         return concat(g, 0);
                       },
                       {{1, 2, 2}, {2, 1, 2}}};
  expect_close(reference_of(c), {0, 1, 0.5, 1, 0, 0.5}, 1e-12, "gradient of maximum");
}

/// Values and gradients that PyTorch 2.15 gives in float64:  y = f(x); torch.autograd.grad(y.sum(), x)
struct Stored {
  const char* name;
  Attrs attrs;
  Numbers y, gradient;
};
TEST(Elementwise, StoredResultsOfPyTorch) {
  const Numbers x{-3, -1.5, -0.5, 0, 0.25, 1, 2.5};
  const std::vector<Stored> stored{
      {"gelu",  // torch.nn.functional.gelu(x)
       {},
       {-0.004049694, -0.100210802, -0.154268769, 0.0, 0.149676581, 0.841344746, 2.484475837},
       {-0.011945647, -0.127469192, 0.132504875, 0.5, 0.695373355, 1.083315471, 1.037611086}},
      {"elu",  // torch.nn.functional.elu(x, 0.7)
       {{"alpha", 0.7}},
       {-0.665149052, -0.543808888, -0.275428538, 0.0, 0.25, 1.0, 2.5},
       {0.034850948, 0.156191112, 0.424571462, 0.7, 1.0, 1.0, 1.0}},
      {"silu",  // torch.nn.functional.silu(x)
       {},
       {-0.14227762, -0.273638286, -0.188770334, 0.0, 0.140544125, 0.731058579, 2.31035455},
       {-0.088104106, -0.041294154, 0.260038813, 0.5, 0.623710022, 0.927670512, 1.099401111}},
      {"softplus",  // torch.nn.functional.softplus(x)
       {},
       {0.048587352, 0.201413278, 0.474076984, 0.693147181, 0.82593942, 1.313261688, 2.578889734},
       {0.047425873, 0.182425524, 0.377540669, 0.5, 0.562176501, 0.731058579, 0.92414182}},
      {"erf",  // torch.erf(x)
       {},
       {-0.99997791, -0.966105146, -0.520499878, 0.0, 0.27632639, 0.842700793, 0.999593048},
       {0.000139253, 0.118930289, 0.878782579, 1.128379167, 1.060014129, 0.415107497, 0.002178284}},
  };
  for (const Stored& s : stored) {
    expect_close(cpu_outputs({op(s.name), s.attrs, {{{7}, DType::f32}}, {x}})[0], s.y, 1e-6, s.name);
    const auto gradient = [&](Graph& graph, const std::vector<Value>& p) {
      return differentiate(sum(graph.add(op(s.name), s.attrs, {p[0]})), p)[0];
    };
    expect_close(reference_of({{{7}}, gradient, {x}}), s.gradient, 1e-8, s.name);
  }
}

TEST(Elementwise, ShapesThatDoNotFitAreRefused) {
  expect_shape_error({{3}, {4}}, [](Graph&, const std::vector<Value>& p) { return add(p[0], p[1]); });
  expect_shape_error({{3}}, [](Graph& graph, const std::vector<Value>& p) { return relu(graph.add(op("add"), {}, {p[0]})); });
  expect_shape_error({{3}}, [](Graph& graph, const std::vector<Value>&) { return relu(graph.input("labels", {3}, DType::i32)); });
}

}  // namespace
}  // namespace lockstep::test
