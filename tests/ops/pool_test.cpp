#include <fmt/format.h>

#include <limits>

#include "ops/max_pool/window.hpp"
#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

struct PoolCase {
  Shape x;
  std::int64_t window, stride, padding;

  [[nodiscard]] Attrs attrs() const { return {{"window", window}, {"stride", stride}, {"padding", padding}}; }
  [[nodiscard]] TensorType type() const { return {x, DType::f32}; }
  [[nodiscard]] Shape y() const { return windows_on(type(), attrs(), "test").y(); }
};

struct Window {
  std::int64_t size, stride, padding;
};

const std::vector<PoolCase> kCases{
    {{2, 32, 8, 8}, 2, 2, 0}, {{1, 16, 7, 9}, 3, 2, 1}, {{2, 48, 5, 5}, 3, 1, 1}, {{1, 16, 6, 6}, 2, 3, 0},
    {{3, 16, 1, 1}, 1, 1, 0}, {{1, 16, 9, 9}, 9, 1, 0}, {{1, 16, 5, 6}, 4, 2, 2},
};
const std::vector<Layout> kLayouts{Layout::plain, Layout::channels_last};

/// Calls `check(case, layout)` for all cases in all layouts, and for channels that no block fits.
template <class Check>
void for_each_case(Check check) {
  for (const PoolCase& c : kCases) {
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(
          fmt::format("{} window {} stride {} padding {} layout {}", c.x.str(), c.window, c.stride, c.padding, static_cast<int>(layout)));
      check(c, layout);
    }
  }
  const PoolCase odd{{2, 27, 5, 5}, 2, 2, 0};
  check(odd, Layout::plain);
  check(odd, Layout::channels_last);
}

TEST(MaxPool, KernelMatchesReferenceInAllLayouts) {
  for_each_case([](const PoolCase& c, Layout layout) { expect_cpu_matches_reference({max_pool_op, c.attrs(), {c.type()}, {}, {layout}}); });
}

TEST(MaxPool, BackwardAndPickMatchReferenceInAllLayouts) {
  for_each_case([](const PoolCase& c, Layout layout) {
    const Numbers index = reference_outputs({max_pool_op, c.attrs(), {c.type()}})[1];
    const TensorType at{c.y(), DType::u8};
    expect_cpu_matches_reference(
        {max_pool_backward_op, backward_attrs(c.attrs(), c.x), {at, {c.y()}}, {index, {}}, {layout, Layout::plain}});
    expect_cpu_matches_reference({max_pool_pick_op, c.attrs(), {at, c.type()}, {index, {}}, {layout, Layout::plain}});
  });
}

TEST(MaxPool, TakesTheFirstOfEquals) {
  const OpCase c{max_pool_op,
                 {{"window", std::int64_t{2}}, {"stride", std::int64_t{2}}, {"padding", std::int64_t{0}}},
                 {{{1, 1, 2, 4}}},
                 {{1, 5, 7, 7, 5, 5, 7, 7}}};
  EXPECT_EQ(reference_outputs(c)[1], (Numbers{1, 0}));
  EXPECT_EQ(cpu_outputs(c)[1], (Numbers{1, 0}));
}

TEST(MaxPool, KeepsNaNAndMinusInfinity) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const OpCase c{max_pool_op,
                 {{"window", std::int64_t{2}}, {"stride", std::int64_t{2}}, {"padding", std::int64_t{1}}},
                 {{{1, 1, 2, 4}}},
                 {{-inf, 1, nan, 7, 5, nan, 9, nan}}};
  expect_cpu_matches_reference(c);
  EXPECT_EQ(cpu_outputs(c)[1][0], 3);  // −∞ in a window that is padding but for its last element
  EXPECT_TRUE(std::isnan(cpu_outputs(c)[0][1]));
}

TEST(AveragePool, KernelsMatchReferenceInAllLayouts) {
  for_each_case([](const PoolCase& c, Layout layout) {
    expect_cpu_matches_reference({average_pool_op, c.attrs(), {c.type()}, {}, {layout}});
    expect_cpu_matches_reference({average_pool_backward_op, backward_attrs(c.attrs(), c.x), {{c.y()}}, {}, {layout}});
  });
}

TEST(Pools, GradientAndSecondGradient) {
  for (const bool most : {true, false}) {
    for (const Window w : {Window{2, 2, 0}, {3, 2, 1}, {2, 1, 0}}) {
      const auto build = [=](Graph&, const std::vector<Value>& p) {
        return most ? max_pool(p[0], w.size, w.stride, w.padding) : average_pool(p[0], w.size, w.stride, w.padding);
      };
      expect_gradient({{{2, 2, 5, 4}}, build});
      expect_second_gradient({{{1, 2, 5, 4}}, [&](Graph& g, const std::vector<Value>& p) { return tanh(build(g, p)); }});
    }
  }
}

// x = torch.sin(torch.arange(25, dtype=torch.float64) * 1.7).reshape(1, 1, 5, 5)
// y = F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1); torch.autograd.grad((y * y).sum(), [x])
TEST(Pools, MatchTorch) {
  GradientCase c{{{1, 1, 5, 5}}, {}, {{}}};
  for (int i = 0; i < 25; ++i) {
    c.data[0].push_back(std::sin(i * 1.7));
  }
  const auto check = [&](Value (*pool)(Value, std::int64_t, std::int64_t, std::int64_t), const Numbers& y, const Numbers& gradient) {
    c.build = [=](Graph&, const std::vector<Value>& p) { return pool(p[0], 3, 2, 1); };
    expect_close(reference_of(c), y, 1e-8, "y");
    c.build = [=](Graph&, const std::vector<Value>& p) { return differentiate(sum(square(pool(p[0], 3, 2, 1))), p)[0]; };
    expect_close(reference_of(c), gradient, 1e-8, "gradient");
  };
  check(max_pool, {0.99166481, 0.99166481, 0.859161815, 0.879273062, 0.9997929, 0.859161815, 0.879273062, 0.985600299, 0.985600299},
        {0, 3.96665924, 0, 0, 0, 0, 0, 0, 3.43664726, 0, 0, 0, 1.9995858, 0, 0, 0, 3.51709225, 0, 0, 0, 0, 0, 0, 3.9424012, 0});
  check(
      average_pool,
      {0.121141915, -0.0720601065, 0.0915778952, 0.0251719248, -0.0168241947, 0.0244927187, 0.09530527, -0.0726070023, 0.119028964},
      {0.0269204256, 0.0109070686,  -0.016013357,  0.00433728637,  0.0203506434,  0.0325141866,  0.0127621197, -0.0197520669, 0.00604140282,
       0.0257934698, 0.00559376106, 0.00185505113, -0.00373870993, 0.00170411645, 0.00544282638, 0.0267727099, 0.00689911062, -0.0198735993,
       0.012020108,  0.0318937073,  0.0211789489,  0.00504405949,  -0.0161348894, 0.0103159915,  0.0264508809});
}

TEST(Pools, RefuseWindowsThatDoNotFit) {
  for (const Window w : {Window{6, 1, 0}, {2, 0, 0}, {3, 1, 2}, {0, 1, 0}}) {
    expect_shape_error({{1, 1, 5, 5}}, [=](Graph&, const std::vector<Value>& p) { return max_pool(p[0], w.size, w.stride, w.padding); });
    expect_shape_error({{1, 1, 5, 5}},
                       [=](Graph&, const std::vector<Value>& p) { return average_pool(p[0], w.size, w.stride, w.padding); });
  }
  expect_shape_error({{1, 1, 40, 40}}, [](Graph&, const std::vector<Value>& p) { return max_pool(p[0], 17, 17); });
  expect_shape_error({{5, 5}}, [](Graph&, const std::vector<Value>& p) { return max_pool(p[0], 2, 2); });
}

}  // namespace
}  // namespace lockstep::test
