#include <fmt/format.h>

#include <algorithm>

#include "lockstep/error.hpp"
#include "ops/batch_norm/batch_norm.hpp"
#include "ops/op_check.hpp"
#include "runtime/reference.hpp"

namespace lockstep::test {
namespace {

const Attrs kEps{{"eps", 1e-5}};

/// Operands of a backward op with the statistics that belong to x.
std::vector<Numbers> with_statistics(const OpCase& forward, std::int64_t elements, std::int64_t channels) {
  std::vector<Numbers> out = reference_outputs(forward);
  for (Numbers& numbers : out) {
    std::ranges::transform(numbers, numbers.begin(), [](double number) { return static_cast<float>(number); });
  }
  return {forward.data[0], normal_numbers(channels, 2), out[1], out[2], normal_numbers(elements, 9)};
}

/// Both kernels on x with a mean that must be taken away, alone and with all that the plan may fuse into them.
void check_batch_norm(const Shape& x, Layout layout) {
  SCOPED_TRACE(fmt::format("{} layout {}", x.str(), static_cast<int>(layout)));
  const TensorType whole{x, DType::f32}, channels{{x[1]}, DType::f32};
  Numbers data = normal_numbers(x.elements(), 1);
  for (double& number : data) {
    number = static_cast<float>(number * 2 + 3);
  }
  const OpCase forward{batch_norm_op, kEps, {whole, channels, channels}, {data}, {layout}};
  expect_cpu_matches_reference(forward);
  expect_cpu_matches_reference(
      {batch_norm_op, Attrs(kEps).set("activation", "relu"), {whole, channels, channels, whole}, {data}, {layout}});
  const std::vector<Numbers> numbers = with_statistics(forward, x.elements(), x[1]);
  for (const std::string mask : {"none", "own", "tensor"}) {
    for (const std::int64_t addend : {0, 1}) {
      SCOPED_TRACE(fmt::format("mask {} addend {}", mask, addend));
      OpCase backward{batch_norm_backward_op,
                      Attrs(kEps).set("mask", mask).set("addend", addend),
                      {whole, channels, channels, channels, whole},
                      numbers,
                      {layout}};
      if (mask != "none") {
        backward.in.push_back(mask == "own" ? channels : whole);
      }
      if (addend != 0) {
        backward.in.push_back(whole);
      }
      expect_cpu_matches_reference(backward, 4e-6);
    }
  }
}

TEST(BatchNorm, KernelsMatchReferenceInAllLayouts) {
  for (const Layout layout : {Layout::plain, Layout::channels_last}) {
    for (const Shape& x : {Shape{3, 32, 5, 5}, Shape{2, 16, 1, 7}, Shape{4, 48, 17, 1}, Shape{1, 16, 30, 31}, Shape{2, 27, 5, 3}}) {
      check_batch_norm(x, layout);
    }
  }
  for (const Shape& x : {Shape{3, 7}, Shape{32, 130}, Shape{300, 16}, Shape{5000, 3}, Shape{2, 5, 33}, Shape{2, 3, 2, 2, 5}}) {
    check_batch_norm(x, Layout::plain);
  }
}

TEST(BatchNorm, ALargeMeanDoesNotSpoilTheVariance) {
  for (const double shift : {1e3, -1e5}) {
    for (const Shape& x : {Shape{8, 24, 20, 20}, Shape{300, 16}, Shape{4, 3, 70}}) {
      Numbers data = normal_numbers(x.elements(), 1);
      for (double& number : data) {
        number = static_cast<float>(number + shift);
      }
      const OpCase c{batch_norm_op, kEps, {{x}, {{x[1]}}, {{x[1]}}}, {data}};
      expect_close(cpu_outputs(c)[1], reference_outputs(c)[1], 1e-7, "mean");
      expect_close(cpu_outputs(c)[2], reference_outputs(c)[2], 1e-6, "variance");
    }
  }
}

TEST(BatchNorm, AChannelOfOneNumberHasNoVariance) {
  const Shape x{70, 9};
  const Numbers out = cpu_outputs({batch_norm_op, kEps, {{x}, {{9}}, {{9}}}, {Numbers(630, 12345.678F)}})[2];
  EXPECT_EQ(out, Numbers(9, 0.0));
}

void check_layer_norm(const Shape& x) {
  SCOPED_TRACE(x.str());
  const TensorType axis{{x[-1]}, DType::f32}, rows{Shape(std::vector<std::int64_t>(x.dims().begin(), x.dims().end() - 1)), DType::f32};
  const OpCase forward{layer_norm_op, kEps, {{x}, axis, axis}, {normal_numbers(x.elements(), 1)}};
  expect_cpu_matches_reference(forward);
  std::vector<Numbers> data = with_statistics(forward, x.elements(), x[-1]);
  expect_cpu_matches_reference({layer_norm_backward_op, kEps, {{x}, axis, rows, rows, {x}}, data}, 4e-6);
}

TEST(LayerNorm, KernelsMatchReference) {
  for (const std::int64_t width : {3, 7, 15, 16, 17, 130, 1025}) {  // of two numbers the gradient of x is all but zero
    check_layer_norm({3, width});
  }
  check_layer_norm({129});
  check_layer_norm({2, 5, 3, 33});
  check_layer_norm({1000, 24});
}

TEST(Norms, GradientAndSecondGradient) {
  const auto batch = [](Graph&, const std::vector<Value>& p) { return batch_norm(p[0], p[1], p[2]).y; };
  const auto layer = [](Graph&, const std::vector<Value>& p) { return layer_norm(p[0], p[1], p[2]); };
  expect_gradient({{{5, 3}, {3}, {3}}, batch});
  expect_gradient({{{2, 3, 2, 3}, {3}, {3}}, batch});
  expect_gradient({{{3, 5}, {5}, {5}}, layer});
  expect_gradient({{{2, 2, 4}, {4}, {4}}, layer});
  expect_second_gradient({{{4, 2}, {2}, {2}}, batch});
  expect_second_gradient({{{2, 2, 2, 2}, {2}, {2}}, batch});
  expect_second_gradient({{{2, 4}, {4}, {4}}, layer});
}

TEST(Norms, ExpansionIsTheSameFunction) {
  for (const bool batch : {true, false}) {
    Graph graph;
    const Value x = graph.parameter("x", {3, 4}, {}), gain = graph.parameter("gain", {4}, {}), bias = graph.parameter("bias", {4}, {});
    const Value y = batch ? batch_norm(x, gain, bias, 0.1).y : layer_norm(x, gain, bias, 0.1);
    for (int i = 0; i < 3; ++i) {
      graph.set_output(std::to_string(i), graph.output_of(y, i));
    }
    const NamedNumbers leaves{{"x", normal_numbers(12, 1)}, {"gain", normal_numbers(4, 2)}, {"bias", normal_numbers(4, 3)}};
    const NamedNumbers direct = run_reference(graph, leaves, {}, reference_kernel);
    const NamedNumbers expanded = run_reference(expand_all(graph), leaves, {}, reference_kernel);
    for (const auto& [name, numbers] : direct) {
      expect_close(expanded.at(name), numbers, 1e-12, "output " + name);
    }
  }
}

TEST(Norms, NoGradientThroughTheStatistics) {
  Graph graph;
  const Value x = graph.parameter("x", {3, 4}, {}), gain = graph.parameter("gain", {4}, {}), bias = graph.parameter("bias", {4}, {});
  EXPECT_THROW(static_cast<void>(differentiate(sum(batch_norm(x, gain, bias).variance), std::vector{x})), UsageError);
  EXPECT_THROW(static_cast<void>(differentiate(sum(graph.output_of(layer_norm(x, gain, bias), 1)), std::vector{x})), UsageError);
}

void check_torch(const GradientCase& operands, const Build& build, const std::vector<Numbers>& wanted) {
  GradientCase c = operands;
  c.build = build;
  expect_close(reference_of(c), wanted[0], 1e-6, "y");
  for (std::size_t i = 0; i < 3; ++i) {
    c.build = [&, i](Graph& graph, const std::vector<Value>& p) {
      const Value y = build(graph, p);
      return differentiate(sum(mul(square(y), y)), p)[i];
    };
    expect_close(reference_of(c), wanted[i + 1], 1e-6, fmt::format("gradient {}", i));
  }
}

// x = torch.linspace(-1, 2, 12).reshape(2, 2, 3); gain = torch.linspace(0.5, 1.5, 2); bias = torch.linspace(-1, 1, 2)   (float64)
// y = F.batch_norm(x, None, None, gain, bias, True, 0.1, 1e-5); torch.autograd.grad((y * y * y).sum(), [x, gain, bias])
TEST(BatchNorm, MatchesTorch) {
  check_torch({{{2, 2, 3}, {2}, {2}}, {}, {even_numbers(12, -1, 2), even_numbers(2, 0.5, 1.5), even_numbers(2, -1, 1)}},
              [](Graph&, const std::vector<Value>& p) { return batch_norm(p[0], p[1], p[2], 1e-5).y; },
              {{-1.64326305, -1.48244729, -1.32163152, -0.929789143, -0.447341857, 0.0351054285, -0.678368476, -0.517552714, -0.356736952,
                1.96489457, 2.44734186, 2.92978914},
               {0.289773262, -0.0304753779, -0.259226667, 7.82273861, -0.823689806, -6.99968976, -0.259258319, -0.0305228558, 0.289709958,
                -6.99940489, -0.823262505, 7.82330834},
               {-17.9997497, 53.999249},
               {22.4999374, 58.4994367}});
}

// x = torch.sin(torch.arange(10, dtype=torch.float64)).reshape(2, 5); gain = torch.linspace(0.5, 1.5, 5); bias = torch.linspace(-1, 1, 5)
// y = F.layer_norm(x, (5,), gain, bias, 1e-5); torch.autograd.grad((y * y * y).sum(), [x, gain, bias])
TEST(LayerNorm, MatchesTorch) {
  Numbers x;
  for (int i = 0; i < 10; ++i) {
    x.push_back(std::sin(i));
  }
  check_torch(
      {{{2, 5}, {5}, {5}}, {}, {x, even_numbers(5, 0.5, 1.5), even_numbers(5, -1, 1)}},
      [](Graph&, const std::vector<Value>& p) { return layer_norm(p[0], p[1], p[2], 1e-5); },
      {{-1.18561006, 0.253569442, 1.11566954, 0.324425401, -1.41312349, -1.80318225, -0.975751762, 0.705175824, 1.97578664, 1.53234257},
       {-2.91158051, -1.1804209, 5.08751631, -4.88514028, 3.88962538, 3.25529009, -4.24220877, -10.1130872, 6.94017811, 4.15982774},
       {-17.2345601, -1.61802643, 5.2180782, 13.7822335, -7.13766017},
       {13.9714124, 3.04916689, 5.2259744, 12.0269541, 13.0349752}});
}

TEST(Norms, RefuseOperandsThatDoNotFit) {
  const auto batch = [](Graph&, const std::vector<Value>& p) { return batch_norm(p[0], p[1], p[1]).y; };
  const auto layer = [](Graph&, const std::vector<Value>& p) { return layer_norm(p[0], p[1], p[1]); };
  expect_shape_error({{3, 4}, {3}}, batch);
  expect_shape_error({{3}, {3}}, batch);
  expect_shape_error({{3, 4}, {3}}, layer);
  expect_shape_error({{}, {1}}, layer);
}

}  // namespace
}  // namespace lockstep::test
