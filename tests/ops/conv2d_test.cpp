#include <fmt/format.h>
#include <omp.h>

#include "lockstep/error.hpp"
#include "ops/conv2d/conv2d.hpp"
#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

/// Channels around the widths of blocks, odd images, strides that leave a rest, kernels that are not square.
const std::vector<ConvSizes> kCases{
    {.n = 2, .c = 1, .h = 12, .w = 12, .o = 32, .kh = 3, .kw = 3},
    {.n = 2, .c = 16, .h = 9, .w = 7, .o = 32, .kh = 3, .kw = 3},
    {.n = 1, .c = 32, .h = 8, .w = 8, .o = 16, .kh = 3, .kw = 3, .stride = 1, .padding = 1},
    {.n = 3, .c = 3, .h = 11, .w = 10, .o = 16, .kh = 5, .kw = 5, .stride = 2, .padding = 2},
    {.n = 2, .c = 1, .h = 9, .w = 9, .o = 6, .kh = 5, .kw = 5},
    {.n = 2, .c = 6, .h = 9, .w = 9, .o = 16, .kh = 5, .kw = 5},
    {.n = 2, .c = 10, .h = 7, .w = 8, .o = 20, .kh = 3, .kw = 2, .stride = 1, .padding = 1},
    {.n = 2, .c = 8, .h = 6, .w = 6, .o = 8, .kh = 3, .kw = 3, .stride = 2, .padding = 1},
    {.n = 2, .c = 24, .h = 6, .w = 6, .o = 40, .kh = 1, .kw = 1, .stride = 2, .padding = 0},
    {.n = 1, .c = 1, .h = 1, .w = 1, .o = 1, .kh = 1, .kw = 1},
    {.n = 2, .c = 16, .h = 4, .w = 4, .o = 16, .kh = 4, .kw = 4},
    {.n = 2, .c = 64, .h = 5, .w = 5, .o = 1, .kh = 3, .kw = 3},
    {.n = 1, .c = 17, .h = 5, .w = 6, .o = 15, .kh = 3, .kw = 3, .stride = 3, .padding = 1},
    {.n = 1, .c = 3, .h = 6, .w = 6, .o = 3, .kh = 3, .kw = 3, .stride = 1, .padding = 2},
};

Attrs windows(const ConvSizes& s) { return {{"stride", s.stride}, {"padding", s.padding}}; }

ConvSizes with_output(ConvSizes s) { return conv2d_sizes(std::vector{s.x(), s.weight()}, windows(s)); }

std::string describe(const ConvSizes& s) {
  return fmt::format("{} ∗ {} stride {} padding {}", s.x().str(), s.weight().str(), s.stride, s.padding);
}

TEST(Conv2d, KernelMatchesReference) {
  for (const ConvSizes& given : kCases) {
    const ConvSizes s = with_output(given);
    SCOPED_TRACE(describe(s));
    expect_cpu_matches_reference({conv2d_op, windows(s), {s.x(), s.weight()}});
    expect_cpu_matches_reference({conv2d_op, windows(s), {s.x(), s.weight(), s.bias()}});
  }
}

TEST(Conv2d, BackwardDataKernelMatchesReference) {
  for (const ConvSizes& given : kCases) {
    const ConvSizes s = with_output(given);
    SCOPED_TRACE(describe(s));
    expect_cpu_matches_reference({conv2d_backward_data_op, windows(s).set("height", s.h).set("width", s.w), {s.y(), s.weight()}});
  }
}

TEST(Conv2d, BackwardWeightsKernelMatchesReference) {
  for (const ConvSizes& given : kCases) {
    const ConvSizes s = with_output(given);
    SCOPED_TRACE(describe(s));
    expect_cpu_matches_reference(
        {conv2d_backward_weights_op, windows(s).set("kernel_height", s.kh).set("kernel_width", s.kw), {s.x(), s.y()}});
  }
}

TEST(Conv2d, KernelsServeEveryPairOfLayouts) {
  const ConvSizes s = with_output({.n = 2, .c = 16, .h = 6, .w = 5, .o = 32, .kh = 3, .kw = 3, .stride = 1, .padding = 1});
  const std::vector<Layout> all{Layout::plain, Layout::channels_last};
  for (const Layout x : all) {
    for (const Layout y : all) {
      const KernelSpec forward{windows(s), {s.x(), s.weight()}, {s.y()}, {x, Layout::plain}, {y}};
      const KernelSpec data{windows(s).set("height", s.h).set("width", s.w), {s.y(), s.weight()}, {s.x()}, {y, Layout::plain}, {x}};
      const KernelSpec weights{
          windows(s).set("kernel_height", s.kh).set("kernel_width", s.kw), {s.x(), s.y()}, {s.weight()}, {x, y}, {Layout::plain}};
      EXPECT_NO_THROW(static_cast<void>(conv2d_cpu(forward)));
      EXPECT_NO_THROW(static_cast<void>(conv2d_backward_data_cpu(data)));
      EXPECT_NO_THROW(static_cast<void>(conv2d_backward_weights_cpu(weights)));
    }
  }
}

TEST(Conv2d, ConvolutionAndItsGradientsAgreeOnLayouts) {
  for (const ConvSizes& given : kCases) {
    const ConvSizes s = with_output(given);
    KernelSpec forward{windows(s), {s.x(), s.weight(), s.bias()}, {s.y()}, std::vector<Layout>(3), std::vector<Layout>(1)};
    KernelSpec data{
        windows(s).set("height", s.h).set("width", s.w), {s.y(), s.weight()}, {s.x()}, std::vector<Layout>(2), std::vector<Layout>(1)};
    KernelSpec weights{windows(s).set("kernel_height", s.kh).set("kernel_width", s.kw),
                       {s.x(), s.y()},
                       {s.weight()},
                       std::vector<Layout>(2),
                       std::vector<Layout>(1)};
    conv2d_layouts(forward);
    conv2d_layouts(data);
    conv2d_backward_weights_layouts(weights);
    EXPECT_EQ(forward.in_layouts[0], data.out_layouts[0]);
    EXPECT_EQ(forward.in_layouts[0], weights.in_layouts[0]);
    EXPECT_EQ(forward.out_layouts[0], data.in_layouts[0]);
    EXPECT_EQ(forward.out_layouts[0], weights.in_layouts[1]);
    EXPECT_EQ(forward.in_layouts[1], Layout::plain);
    EXPECT_EQ(weights.out_layouts[0], Layout::plain);
  }
}

/// Bits that a kernel made and run under `threads` OpenMP threads gives.
std::vector<Numbers> with_threads(int threads, const OpCase& c) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  std::vector<Numbers> result = cpu_outputs(c);
  omp_set_num_threads(before);
  return result;
}

TEST(Conv2d, BitsDoNotFollowTheNumberOfOpenMpThreads) {
  const ConvSizes s = with_output({.n = 32, .c = 16, .h = 12, .w = 12, .o = 16, .kh = 3, .kw = 3});
  const OpCase c{conv2d_backward_weights_op, windows(s).set("kernel_height", s.kh).set("kernel_width", s.kw), {s.x(), s.y()}};
  EXPECT_EQ(with_threads(1, c), with_threads(4, c));
}

TEST(Conv2d, FusedActivationsMatchReference) {
  const ConvSizes s = with_output({.n = 2, .c = 3, .h = 9, .w = 9, .o = 16, .kh = 3, .kw = 3});
  for (const std::string name : {"relu", "tanh", "sigmoid", "elu", "gelu", "softplus", "silu"}) {
    SCOPED_TRACE(name);
    expect_cpu_matches_reference({conv2d_op, windows(s).set("activation", name), {s.x(), s.weight(), s.bias()}}, 4e-6);
  }
}

TEST(Conv2d, GradientAndSecondGradient) {
  const auto build = [](std::int64_t stride, std::int64_t padding) {
    return [=](Graph&, const std::vector<Value>& p) { return conv2d(p[0], p[1], p[2], stride, padding); };
  };
  expect_gradient({{{2, 2, 5, 4}, {3, 2, 3, 2}, {3}}, build(1, 0)});
  expect_gradient({{{1, 2, 6, 6}, {2, 2, 3, 3}, {2}}, build(2, 1)});
  expect_gradient({{{1, 1, 4, 4}, {2, 1, 3, 3}, {2}}, build(2, 0)});
  expect_second_gradient(
      {{{1, 2, 4, 4}, {2, 2, 3, 3}, {2}}, [&](Graph& g, const std::vector<Value>& p) { return tanh(build(2, 1)(g, p)); }});
  expect_second_gradient(
      {{{1, 2, 3, 4}, {2, 2, 2, 2}, {2}}, [&](Graph& g, const std::vector<Value>& p) { return square(build(1, 0)(g, p)); }});
}

// x = torch.linspace(-1, 1, 64).reshape(2, 2, 4, 4); w = torch.linspace(-1, 1, 54).reshape(3, 2, 3, 3); b = torch.linspace(0, 1, 3)
// (float64) y = F.conv2d(x, w, b, stride=2, padding=1); gx, gw, gb = torch.autograd.grad((y * y).sum(), [x, w, b])
TEST(Conv2d, MatchesTorch) {
  GradientCase c{{{2, 2, 4, 4}, {3, 2, 3, 3}, {3}}, {}, {even_numbers(64, -1, 1), even_numbers(54, -1, 1), even_numbers(3, 0, 1)}};
  const auto y = [](const std::vector<Value>& p) { return conv2d(p[0], p[1], p[2], 2, 1); };
  const auto gradient = [&](std::size_t of) {
    c.build = [=](Graph&, const std::vector<Value>& p) { return differentiate(sum(square(y(p))), p)[of]; };
    return reference_of(c);
  };
  c.build = [=](Graph&, const std::vector<Value>& p) { return y(p); };
  expect_close(reference_of(c), {3.59628631,  5.19556754,  4.4097035,   6.20305481,  0.473644804, 0.649745433, 1.02830189,  1.46316262,
                                 -2.64899671, -3.89607667, -2.35309973, -3.27672956, -1.31057203, -2.39472896, -3.64061096, -6.21743037,
                                 1.0870021,   1.33977239,  1.25831087,  1.46316262,  3.48457622,  5.07427373,  6.1572327,   9.14375562},
               1e-6, "y");
  Numbers gx = gradient(0), gw = gradient(1);
  gx.resize(16);  // gx[0, 0]
  gw.resize(18);  // gw[0]
  expect_close(gx,
               {-8.96673956, -22.0195291, -13.0129177, -12.8658055, -19.578396, -47.6511214, -27.9343945, -27.4560003, -10.2349082,
                -24.7023343, -14.3689671, -14.037685, -9.536439, -23.0100188, -13.3751208, -13.0438387},
               1e-6, "gx");
  expect_close(gw,
               {-12.608052, -21.3486216, -21.3007031, -22.9010302, -38.5026217, -38.1317475, -22.193357, -37.0191246, -36.6482504,
                -12.6226558, -20.581925, -20.5340065, -20.0703376, -32.5686333, -32.197759, -19.3626644, -31.0851362, -30.7142619},
               1e-6, "gw");
  expect_close(gradient(2), {11.6825397, 17.5262055, 23.3698712}, 1e-6, "gb");
}

TEST(Conv2d, RefusesOperandsThatDoNotFit) {
  const auto build = [](std::int64_t stride, std::int64_t padding) {
    return [=](Graph&, const std::vector<Value>& p) { return conv2d(p[0], p[1], p.size() > 2 ? p[2] : Value{}, stride, padding); };
  };
  expect_shape_error({{2, 3, 5, 5}, {4, 2, 3, 3}}, build(1, 0));
  expect_shape_error({{2, 3, 5, 5}, {4, 3, 3, 3}, {3}}, build(1, 0));
  expect_shape_error({{2, 3, 2, 5}, {4, 3, 3, 3}}, build(1, 0));
  expect_shape_error({{2, 3, 5}, {4, 3, 3}}, build(1, 0));
  expect_shape_error({{2, 3, 5, 5}, {4, 3, 3, 3}}, build(0, 0));
  expect_shape_error({{2, 3, 5, 5}, {4, 3, 3, 3}}, build(1, -1));
}

}  // namespace
}  // namespace lockstep::test
