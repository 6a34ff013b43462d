#include <cmath>

#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

using Axes = std::vector<std::int64_t>;

struct Case {
  Shape shape;
  Axes axes;
};
const std::vector<Case> kCases{{{}, {}},
                               {{1}, {0}},
                               {{5}, {}},
                               {{7, 10}, {0}},
                               {{7, 10}, {1}},
                               {{7, 10}, {-1}},
                               {{7, 10}, {}},
                               {{64, 33}, {0}},
                               {{3, 2500}, {1}},
                               {{9, 2050}, {0}},
                               {{2, 3, 5}, {1}},
                               {{2, 3, 5}, {0, 2}},
                               {{2, 3, 5}, {0, 1}},
                               {{2, 1, 5}, {1}},
                               {{4, 3, 5, 6}, {0, 2, 3}},
                               {{4, 3, 5, 6}, {1, 3}},
                               {{4, 3, 5, 6}, {0, 2}},
                               {{4, 3, 5, 6}, {2, 3}},
                               {{4, 3, 5, 6}, {1}},
                               {{8, 17, 19, 20}, {0, 2, 3}},
                               {{1, 3, 1, 6}, {0, 3}},
                               {{3, 4, 5}, {2, 0}},
                               {{2, 1023}, {-1}}};

TEST(Reduction, KernelsMatchTheReference) {
  for (const char* name : {"sum", "mean", "max"}) {
    for (const Case& c : kCases) {
      for (const std::int64_t keep : {0, 1}) {
        OpCase one{*find_op(name)->op, {{"axes", c.axes}, {"keep", keep}}, {{c.shape, DType::f32}}};
        expect_cpu_matches_reference(one);
        if (c.shape.rank() == 4) {
          one.in_layouts = {Layout::channels_last};
          expect_cpu_matches_reference(one);
        }
      }
    }
    for (const std::int64_t n : kOddSizes) {
      expect_cpu_matches_reference({*find_op(name)->op, {{"axes", Axes{0}}, {"keep", std::int64_t{0}}}, {{{n}, DType::f32}}});
      expect_cpu_matches_reference({*find_op(name)->op, {{"axes", Axes{0}}, {"keep", std::int64_t{0}}}, {{{5, n}, DType::f32}}});
    }
  }
}

TEST(Reduction, MaxKeepsNotANumberAndInfinities) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const Numbers& data : {Numbers{1, std::nan(""), 3}, Numbers{std::nan(""), 2, 3}, Numbers{1, 2, std::nan("")},
                              Numbers{-inf, -inf, -inf}, Numbers{1, inf, 2}}) {
    expect_cpu_matches_reference({*find_op("max")->op, {{"axes", Axes{0}}, {"keep", std::int64_t{0}}}, {{{3}, DType::f32}}, {data}});
    expect_cpu_matches_reference({*find_op("max")->op, {{"axes", Axes{0}}, {"keep", std::int64_t{0}}}, {{{3, 1}, DType::f32}}, {data}});
  }
}

TEST(Reduction, FirstAndSecondDerivatives) {
  for (const Case& c : {Case{{5}, {}}, Case{{2, 3}, {0}}, Case{{2, 3}, {-1}}, Case{{2, 3, 2}, {0, 2}}, Case{{2, 3, 2}, {1}}}) {
    for (const bool keep : {false, true}) {
      for (const auto reduce : {sum, mean, max}) {
        // squares, so that there is a second derivative
        const GradientCase g{{c.shape}, [&](Graph&, const std::vector<Value>& p) { return reduce(square(p[0]), c.axes, keep); }};
        expect_gradient(g);
        expect_second_gradient(g);
      }
    }
  }
}

TEST(Reduction, MaxSharesTheGradientBetweenEquals) {
  // a = torch.tensor([[1, 5, 5], [2, 2, 2]]); torch.autograd.grad(torch.amax(a, 1).sum(), a)
  const auto gradient = [](Graph&, const std::vector<Value>& p) { return differentiate(sum(max(p[0], {1})), p)[0]; };
  expect_close(reference_of({{{2, 3}}, gradient, {{1, 5, 5, 2, 2, 2}}}), {0, 0.5, 0.5, 1.0 / 3, 1.0 / 3, 1.0 / 3}, 1e-12,
               "gradient of max");
}

TEST(Reduction, AxesThatDoNotFitAreRefused) {
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return sum(p[0], {2}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return mean(p[0], {-3}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return max(p[0], {1, -1}); });
}

}  // namespace
}  // namespace lockstep::test
