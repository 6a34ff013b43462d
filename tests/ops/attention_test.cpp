#include "ops/attention/attention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/op_check.hpp"
#include "runtime/reference.hpp"

namespace lockstep::test {
namespace {

Attrs attrs(std::int64_t heads, bool causal) { return {{"heads", heads}, {"causal", std::int64_t{causal}}}; }

Build build(std::int64_t heads, bool causal) {
  return [=](Graph&, const std::vector<Value>& p) { return attention(p[0], heads, causal); };
}

void check_kernels(std::int64_t samples, std::int64_t positions, std::int64_t heads, std::int64_t width, bool causal) {
  SCOPED_TRACE(fmt::format("{} samples of {} positions, {} heads of {}, causal {}", samples, positions, heads, width, causal));
  const TensorType qkv{{samples, positions, 3 * heads * width}}, y{{samples, positions, heads * width}},
      log_sum{{samples, heads, positions}};
  const OpCase forward{attention_op, attrs(heads, causal), {qkv}, {normal_numbers(qkv.elements(), 1)}};
  expect_cpu_matches_reference(forward, 4e-6);
  std::vector<Numbers> out = reference_outputs(forward);
  for (Numbers& numbers : out) {
    std::ranges::transform(numbers, numbers.begin(), [](double number) { return static_cast<float>(number); });
  }
  expect_cpu_matches_reference(
      {attention_backward_op, attrs(heads, causal), {qkv, log_sum, y}, {forward.data[0], out[1], normal_numbers(y.elements(), 2)}}, 1e-5);
}

TEST(Attention, KernelsMatchReferenceAtOddSizes) {
  for (const bool causal : {true, false}) {
    for (const std::int64_t positions : {1, 3, 7, 31, 63, 64, 65, 129, 150}) {
      check_kernels(2, positions, 3, 5, causal);
    }
    for (const std::int64_t width : {1, 7, 16, 17, 64}) {
      check_kernels(1, 40, 2, width, causal);
    }
  }
  check_kernels(3, 128, 4, 32, true);
}

TEST(Attention, GreatScoresDoNotOverflow) {
  Numbers numbers = normal_numbers(2 * 40 * 12, 1);
  std::ranges::transform(numbers, numbers.begin(), [](double number) { return static_cast<float>(30 * number); });
  const TensorType qkv{{2, 40, 12}};
  const OpCase c{attention_op, attrs(1, true), {qkv}, {numbers}};
  const Numbers out = cpu_outputs(c)[0];
  EXPECT_TRUE(std::ranges::all_of(out, [](double y) { return std::isfinite(y); }));
}

TEST(Attention, SeesNothingThatComesLater) {
  Numbers numbers = normal_numbers(50 * 12, 1);
  const TensorType qkv{{1, 50, 12}};
  const OpCase c{attention_op, attrs(2, true), {qkv}, {numbers}};
  const Numbers before = cpu_outputs(c)[0];
  OpCase changed = c;
  std::fill(changed.data[0].begin() + 40 * 12, changed.data[0].end(), 0.5);
  const Numbers after = cpu_outputs(changed)[0];
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 40 * 4, after.begin()));
  EXPECT_FALSE(std::equal(before.begin() + 40 * 4, before.end(), after.begin() + 40 * 4));
}

TEST(Attention, GradientAndSecondGradient) {
  for (const bool causal : {true, false}) {
    expect_gradient({{{2, 5, 12}}, build(2, causal)});
    expect_second_gradient({{{1, 3, 6}}, build(1, causal)});
  }
}

TEST(Attention, ExpansionIsTheSameFunction) {
  for (const bool causal : {true, false}) {
    Graph graph;
    const Value y = attention(graph.parameter("qkv", {2, 5, 18}, {}), 3, causal);
    graph.set_output("y", y);
    graph.set_output("log_sum", graph.output_of(y, 1));
    const NamedNumbers leaves{{"qkv", normal_numbers(2 * 5 * 18, 1)}};
    const NamedNumbers direct = run_reference(graph, leaves, {}, reference_kernel);
    const NamedNumbers expanded = run_reference(expand_all(graph), leaves, {}, reference_kernel);
    for (const auto& [name, numbers] : direct) {
      expect_close(expanded.at(name), numbers, 1e-12, name);
    }
  }
}

TEST(Attention, NoGradientThroughTheSums) {
  Graph graph;
  const Value qkv = graph.parameter("qkv", {2, 5, 18}, {});
  EXPECT_THROW(static_cast<void>(differentiate(sum(graph.output_of(attention(qkv, 3), 1)), std::vector{qkv})), UsageError);
}

// qkv = torch.sin(torch.arange(36, dtype=torch.float64)).reshape(1, 3, 12)
// q, k, v = [t.reshape(1, 3, 2, 2).transpose(1, 2) for t in qkv.chunk(3, -1)]
// y = F.scaled_dot_product_attention(q, k, v, is_causal=CAUSAL).transpose(1, 2).reshape(1, 3, 4)
// torch.autograd.grad((y * y * y).sum(), qkv)
TEST(Attention, MatchesTorch) {
  Numbers qkv;
  for (int i = 0; i < 36; ++i) {
    qkv.push_back(std::sin(i));
  }
  const auto check = [&](bool causal, const Numbers& y, const Numbers& gradient) {
    expect_close(reference_of({{{1, 3, 12}}, build(2, causal), {qkv}}), y, 1e-8, "y");
    const auto cubes = [&](Graph& graph, const std::vector<Value>& p) {
      const Value out = build(2, causal)(graph, p);
      return differentiate(sum(mul(square(out), out)), p)[0];
    };
    expect_close(reference_of({{{1, 3, 12}}, cubes, {qkv}}), gradient, 1e-8, "gradient");
  };
  check(
      true,
      {0.989358247, 0.412118485, -0.544021111, -0.999990207, 0.954555342, 0.605477296, -0.349894694, -0.944212058, 0.865855603, 0.684151285,
       -0.197898062, -0.853953693},
      {0.0,          0.0,          0.0,           0.0,          0.0540120768,   -0.0146682166, -0.201532723,   -0.193929204,  5.42705461,
       1.73402205,   1.18431414,   5.86598037,    0.0212186852, -0.00011191834, -0.0468518221, -0.0503825747,  -0.0919223678, 0.00912756589,
       0.104584774,  0.0723402494, 1.98732209,    0.964365154,  0.167558776,    1.60946722,    -0.00799905289, -0.0125464971, -0.0939027628,
       -0.138993537, 0.037910291,  0.00554065068, 0.0969479494, 0.121588955,    0.504757997,   0.315134941,    0.0207738119,  0.386813617});
  check(false,
        {0.801823422, 0.764593421, -0.109344102, -0.808963919, 0.838857951, 0.718679493, -0.180824273, -0.84495432, 0.865855603,
         0.684151285, -0.197898062, -0.853953693},
        {0.0162797218,   -0.00566704808, -0.0897360486,  -0.137386219,  0.0529035113,   -0.0616274882, -0.346201229,  -0.233494079,
         2.42619037,     1.7768914,      0.128655604,    3.1279635,     0.000856550026, -0.0104406491, -0.0941289246, -0.140357422,
         -0.109435483,   0.0862863246,   -0.00474229591, 0.00749598387, 2.03148445,     1.51550681,    0.074151374,   1.87329007,
         -0.00799905289, -0.0125464971,  -0.0939027628,  -0.138993537,  0.056531972,    -0.0246588364, 0.350943525,   0.225998095,
         1.83125334,     1.41510068,     0.0486446013,   1.29156843});
}

TEST(Attention, RefusesOperandsThatDoNotFit) {
  expect_shape_error({{2, 5, 16}}, build(3, true));
  expect_shape_error({{2, 5, 18}}, build(0, true));
  expect_shape_error({{5, 18}}, build(3, true));
}

}  // namespace
}  // namespace lockstep::test
