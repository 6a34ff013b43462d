#include <fmt/format.h>

#include <cmath>

#include "ops/one_hot/one_hot.hpp"
#include "ops/op_check.hpp"
#include "runtime/reference.hpp"

namespace lockstep::test {
namespace {

const Op& op(const char* name) { return *find_op(name)->op; }

/// Logits [n, classes] and labels [n].
OpCase logits_case(const char* name, std::int64_t n, std::int64_t classes, double scale) {
  Numbers logits = normal_numbers(n * classes, 3);
  for (double& x : logits) {
    x = static_cast<float>(x * scale);
  }
  return {op(name), {}, {{{n, classes}, DType::f32}, {{n}, DType::i32}}, {logits, integer_numbers(n, classes, 4)}};
}

TEST(Losses, SoftmaxFamilyMatchesTheReference) {
  for (const std::int64_t classes : {1, 2, 10, 15, 16, 17, 100, 1023}) {
    for (const double scale : {1.0, 30.0}) {
      for (const char* name : {"softmax_cross_entropy", "correct"}) {
        expect_cpu_matches_reference(logits_case(name, 7, classes, scale));
      }
      OpCase backward = logits_case("softmax_cross_entropy_backward", 7, classes, scale);
      backward.in.push_back({{7}, DType::f32});
      expect_cpu_matches_reference(backward);
      for (const char* name : {"softmax", "log_softmax"}) {
        const OpCase c = logits_case(name, 7, classes, scale);
        expect_cpu_matches_reference({c.op, {}, {c.in[0]}, {c.data[0]}});
      }
    }
    expect_cpu_matches_reference({op("one_hot"), {{"classes", classes}}, {{{3, 2}, DType::i32}}, {integer_numbers(6, classes, 1)}});
  }
  for (const std::int64_t n : {1, 3, 31, 32, 33, 1000}) {
    expect_cpu_matches_reference({op("mean_squared_error"), {}, {{{5, n}, DType::f32}, {{5, n}, DType::f32}}});
  }
  expect_cpu_matches_reference({op("mean_squared_error"), {}, {{{5}, DType::f32}, {{5}, DType::f32}}});
}

TEST(Losses, HugeLogitsNeitherOverflowNorVanish) {
  const OpCase c{op("softmax_cross_entropy"), {}, {{{2, 3}, DType::f32}, {{2}, DType::i32}}, {{1e4, 0, -1e4, -1e4, 0, 1e4}, {0, 0}}};
  expect_close(cpu_outputs(c)[0], {0, 2e4}, 1e-7, "loss");
  expect_close(cpu_outputs({op("softmax"), {}, {c.in[0]}, {c.data[0]}})[0], {1, 0, 0, 0, 0, 1}, 1e-7, "softmax");
}

TEST(Losses, NotANumberShowsInTheLoss) {
  const OpCase c{op("softmax_cross_entropy"), {}, {{{1, 3}, DType::f32}, {{1}, DType::i32}}, {{1, std::nan(""), 2}, {0}}};
  EXPECT_TRUE(std::isnan(cpu_outputs(c)[0][0]));
}

TEST(Losses, StoredResultsOfPyTorch) {
  // l = torch.tensor([[1, 2, 3], [-1, 0.5, 4], [10, -10, 0]]); t = torch.tensor([2, 0, 1]); w = torch.tensor([1, 2, 0.5])
  // y = torch.nn.functional.cross_entropy(l, t, reduction='none'); torch.autograd.grad((y * w).sum(), l)
  const Numbers logits{1, 2, 3, -1, 0.5, 4, 10, -10, 0}, labels{2, 0, 1}, weights{1, 2, 0.5};
  const TensorType x{{3, 3}, DType::f32}, t{{3}, DType::i32}, g{{3}, DType::f32};
  expect_close(cpu_outputs({op("softmax_cross_entropy"), {}, {x, t}, {logits, labels}})[0], {0.407605964, 5.036269565, 20.000045401}, 1e-6,
               "loss");
  expect_close(cpu_outputs({op("softmax_cross_entropy_backward"), {}, {x, t, g}, {logits, labels, weights}})[0],
               {0.090030573, 0.244728471, -0.334759044, -1.987004113, 0.058243523, 1.92876059, 0.4999773, -0.499999999, 2.2699e-05}, 1e-6,
               "gradient");
  // torch.nn.functional.log_softmax(l, 1)
  expect_close(
      cpu_outputs({op("log_softmax"), {}, {x}, {logits}})[0],
      {-2.407605964, -1.407605964, -0.407605964, -5.036269565, -3.536269565, -0.036269565, -4.5401e-05, -20.000045401, -10.000045401}, 1e-6,
      "log_softmax");
}

TEST(Losses, FirstAndSecondDerivatives) {
  const std::map<std::string, Numbers> labels{{"labels", {2, 0, 1}}};
  const std::vector<Build> builds{
      [](Graph&, const std::vector<Value>& p) { return softmax(p[0]); },
      [](Graph&, const std::vector<Value>& p) { return log_softmax(p[0]); },
      [](Graph&, const std::vector<Value>& p) { return mean_squared_error(p[0], p[1]); },
      [](Graph& graph, const std::vector<Value>& p) { return softmax_cross_entropy(p[0], graph.input("labels", {3}, DType::i32)); },
  };
  for (std::size_t i = 0; i < builds.size(); ++i) {
    SCOPED_TRACE(i);
    expect_gradient({{{3, 4}, {3, 4}}, builds[i], {}, labels});
    expect_second_gradient({{{3, 4}, {3, 4}}, builds[i], {}, labels});
  }
}

TEST(Losses, ExpansionsMeanTheSame) {
  const auto both = [](const GradientCase& c) {
    Graph graph;
    std::vector<Value> p;
    NamedNumbers leaves = c.leaves;
    for (std::size_t i = 0; i < c.shapes.size(); ++i) {
      const std::string name = fmt::format("p{}", i);
      p.push_back(graph.parameter(name, c.shapes[i], {}));
      leaves[name] = normal_numbers(c.shapes[i].elements(), i + 1);
    }
    graph.set_output("y", c.build(graph, p));
    const Graph expanded = expand_all(graph);
    EXPECT_NE(expanded.nodes().size(), graph.nodes().size()) << "nothing was expanded";
    expect_close(run_reference(expanded, leaves, {}, reference_kernel).at("y"), run_reference(graph, leaves, {}, reference_kernel).at("y"),
                 1e-12, graph.str());
  };
  const std::map<std::string, Numbers> labels{{"labels", {2, 0, 1}}};
  both({{{3, 4}},
        [](Graph& g, const std::vector<Value>& p) { return softmax_cross_entropy(p[0], g.input("labels", {3}, DType::i32)); },
        {},
        labels});
  both({{{3, 4}, {3}},
        [](Graph& g, const std::vector<Value>& p) {
          return g.add(op("softmax_cross_entropy_backward"), {}, {p[0], g.input("labels", {3}, DType::i32), p[1]});
        },
        {},
        labels});
}

TEST(Losses, CorrectTakesTheFirstOfEquals) {
  const OpCase c{op("correct"), {}, {{{3, 3}, DType::f32}, {{3}, DType::i32}}, {{1, 5, 5, 1, 5, 5, 7, 0, 0}, {1, 2, 0}}};
  EXPECT_EQ(cpu_outputs(c)[0], (Numbers{1, 0, 1}));
}

TEST(Losses, ALabelOutOfRangeIsNamed) {
  const OpCase c{op("softmax_cross_entropy"), {}, {{{2, 10}, DType::f32}, {{2}, DType::i32}}, {{}, {3, 17}}};
  try {
    cpu_outputs(c);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "softmax_cross_entropy: the label 17 at place 1 is not in 0 … 9");
  }
}

TEST(Losses, ShapesThatDoNotFitAreRefused) {
  expect_shape_error({{3, 4}},
                     [](Graph& g, const std::vector<Value>& p) { return softmax_cross_entropy(p[0], g.input("l", {4}, DType::i32)); });
  expect_shape_error({{3, 4}, {3}}, [](Graph&, const std::vector<Value>& p) { return softmax_cross_entropy(p[0], p[1]); });
  expect_shape_error({{3, 4}, {3}}, [](Graph&, const std::vector<Value>& p) { return mean_squared_error(p[0], p[1]); });
  expect_shape_error({{3, 4}}, [](Graph& g, const std::vector<Value>& p) { return correct(p[0], g.input("l", {2}, DType::i32)); });
}

}  // namespace
}  // namespace lockstep::test
