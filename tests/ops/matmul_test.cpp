#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "lockstep/error.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

Attrs attrs(bool ta, bool tb) { return {{"transpose_a", std::int64_t{ta}}, {"transpose_b", std::int64_t{tb}}}; }

TensorType matrix(std::int64_t rows, std::int64_t columns, bool swapped) {
  return {swapped ? Shape{columns, rows} : Shape{rows, columns}, DType::f32};
}

constexpr bool kBoth[] = {false, true};

TEST(Matmul, KernelMatchesReferenceInAllFormsAndOddSizes) {
  for (const auto& [m, k, n] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                        {1, 7, 3},
                                                                        {3, 17, 5},
                                                                        {8, 33, 16},
                                                                        {15, 16, 17},
                                                                        {32, 130, 31},
                                                                        {33, 64, 129},
                                                                        {130, 15, 10},
                                                                        {4, 1023, 65},
                                                                        {65, 3, 9},
                                                                        {16, 37, 130},
                                                                        {32, 21, 133},
                                                                        {48, 300, 128},
                                                                        {5, 300, 70}}) {
    for (const bool ta : kBoth) {
      for (const bool tb : kBoth) {
        const OpCase plain{matmul_op, attrs(ta, tb), {matrix(m, k, ta), matrix(k, n, tb)}};
        expect_cpu_matches_reference(plain);
        expect_cpu_matches_reference({matmul_op, attrs(ta, tb), {matrix(m, k, ta), matrix(k, n, tb), {{n}, DType::f32}}});
      }
    }
  }
}

TEST(Matmul, KernelMatchesReferenceForBatches) {
  for (const bool ta : kBoth) {
    for (const bool tb : kBoth) {
      const Shape a = ta ? Shape{2, 3, 7, 9} : Shape{2, 3, 9, 7}, b = tb ? Shape{2, 3, 5, 7} : Shape{2, 3, 7, 5},
                  shared = tb ? Shape{5, 7} : Shape{7, 5};
      for (const Shape& second : {b, shared}) {
        expect_cpu_matches_reference({matmul_op, attrs(ta, tb), {{a}, {second}}});
        expect_cpu_matches_reference({matmul_op, attrs(ta, tb), {{a}, {second}, {{5}}}});
      }
    }
  }
}

TEST(Matmul, FusedActivationsMatchReference) {
  for (const std::string name : {"relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "silu"}) {
    for (const std::int64_t rows : {4, 20, 40}) {
      Attrs with = attrs(false, true);
      with.set("activation", name);
      if (name == "elu") {
        with.set("alpha", 0.7);
      }
      SCOPED_TRACE(fmt::format("{} of {} rows", name, rows));
      expect_cpu_matches_reference({matmul_op, with, {{{rows, 9}}, {{33, 9}}, {{33}}}}, 4e-6);
      expect_cpu_matches_reference({matmul_op, with, {{{32, 9}}, {{131, 9}}, {{131}}}}, 4e-6);
    }
  }
}

TEST(Matmul, FusedActivationIsTheOpOfThatName) {
  using Activation = Value (*)(Value);
  const std::vector<std::pair<std::string, Activation>> all{{"relu", relu}, {"tanh", tanh},         {"sigmoid", sigmoid},
                                                            {"gelu", gelu}, {"softplus", softplus}, {"silu", silu}};
  for (const auto& [name, op] : all) {
    Attrs with = attrs(false, false);
    with.set("activation", name);
    const std::vector<Numbers> fused = reference_outputs({matmul_op, with, {{{5, 3}}, {{3, 4}}}});
    const Numbers apart =
        reference_of({{{5, 3}, {3, 4}}, [op = op](Graph&, const std::vector<Value>& p) { return op(matmul(p[0], p[1])); }});
    expect_close(fused[0], apart, 1e-12, name);
  }
}

TEST(Matmul, FusedKernelRefusesAnUnknownActivation) {
  Attrs with = attrs(false, false);
  with.set("activation", "softsign");
  EXPECT_THROW(reference_outputs({matmul_op, with, {{{5, 3}}, {{3, 4}}}}), UsageError);
  EXPECT_THROW(cpu_outputs({matmul_op, with, {{{5, 3}}, {{3, 4}}}}), UsageError);
}

TEST(Matmul, ReluOfOurOwnLoopsKeepsNaN) {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const std::int64_t rows : {4, 32}) {  // oneDNN's makes it 0
    Numbers x(static_cast<std::size_t>(rows * 3), 1.0);
    x[0] = nan;
    x[3] = inf;
    x[6] = -inf;
    const OpCase c{matmul_op, attrs(false, true).set("activation", "relu"), {{{rows, 3}}, {{130, 3}}, {{130}}}, {x, Numbers(390, 0.5)}};
    expect_cpu_matches_reference(c);
  }
}

TEST(Matmul, GradientInAllForms) {
  for (const bool ta : kBoth) {
    for (const bool tb : kBoth) {
      const auto build = [=](Graph&, const std::vector<Value>& p) { return matmul(p[0], p[1], ta, tb, p[2]); };
      const Shape b = tb ? Shape{4, 3} : Shape{3, 4};
      expect_gradient({{ta ? Shape{3, 2} : Shape{2, 3}, b, {4}}, build});
      expect_gradient({{ta ? Shape{2, 3, 5} : Shape{2, 5, 3}, b, {4}}, build});
      expect_gradient({{ta ? Shape{2, 3, 5} : Shape{2, 5, 3}, tb ? Shape{2, 4, 3} : Shape{2, 3, 4}, {4}}, build});
      expect_second_gradient(
          {{ta ? Shape{3, 2} : Shape{2, 3}, b, {4}}, [&](Graph& g, const std::vector<Value>& p) { return tanh(build(g, p)); }});
    }
  }
}

TEST(Matmul, DenseLayerNeedsNoTranspose) {
  Graph graph;
  const Value x = graph.parameter("x", {8, 3}, {}), w = graph.parameter("w", {4, 3}, {}), b = graph.parameter("b", {4}, {});
  static_cast<void>(differentiate(sum(matmul(x, w, false, true, b)), std::vector{x, w, b}));
  for (const Node& node : graph.nodes()) {
    EXPECT_NE(node.op->name(), "transpose") << graph.str();
  }
}

// x = torch.linspace(-1, 1, 6).reshape(2, 3); w = torch.linspace(-1, 2, 12).reshape(4, 3); b = torch.linspace(0, 1, 4)   (float64)
// y = F.linear(x, w, b); torch.autograd.grad((y * y).sum(), [x, w, b])
TEST(Matmul, MatchesTorch) {
  GradientCase c{{{2, 3}, {4, 3}, {4}}, {}, {even_numbers(6, -1, 1), even_numbers(12, -1, 2), even_numbers(4, 0, 1)}};
  c.build = [](Graph&, const std::vector<Value>& p) { return matmul(p[0], p[1], false, true, p[2]); };
  expect_close(reference_of(c), {1.52727273, 0.387878788, -0.751515152, -1.89090909, -1.09090909, 0.715151515, 2.52121212, 4.32727273},
               1e-6, "y");
  const std::vector<Numbers> wanted{{-9.65289256, -10.0495868, -10.446281, 17.7190083, 21.2495868, 24.7801653},
                                    {-3.49090909, -3.14181818, -2.79272727, -0.48969697, 0.392727273, 1.27515152, 2.51151515, 3.92727273,
                                     5.3430303, 5.51272727, 7.46181818, 9.41090909},
                                    {0.872727273, 2.20606061, 3.53939394, 4.87272727}};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    c.build = [i](Graph&, const std::vector<Value>& p) { return differentiate(sum(square(matmul(p[0], p[1], false, true, p[2]))), p)[i]; };
    expect_close(reference_of(c), wanted[i], 1e-6, fmt::format("gradient {}", i));
  }
}

TEST(Matmul, RefusesOperandsThatDoNotFit) {
  const auto build = [](Graph&, const std::vector<Value>& p) { return matmul(p[0], p[1]); };
  expect_shape_error({{2, 3}, {4, 5}}, build);
  expect_shape_error({{2, 3}, {3}}, build);
  expect_shape_error({{2, 3}, {2, 3, 4}}, build);
  expect_shape_error({{2, 4, 3}, {5, 3, 4}}, build);
  expect_shape_error({{2, 3}, {3, 4}, {3}}, [](Graph&, const std::vector<Value>& p) { return matmul(p[0], p[1], false, false, p[2]); });
}

}  // namespace
}  // namespace lockstep::test
