#include <cmath>

#include "ops/keyed.hpp"
#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

const Op& op(const char* name) { return *find_op(name)->op; }

OpCase dropout_case(const Shape& shape, double rate, StepContext step, const std::string& name = "layer1") {
  return {op("dropout"),
          {{"rate", rate}, {"name", name}},
          {{shape, DType::f32}},
          {Numbers(static_cast<std::size_t>(shape.elements()), 1.0)},
          {},
          step};
}

OpCase random_case(const char* name, std::int64_t batch, std::int64_t width, StepContext step) {
  return {op(name), {{"shape", std::vector<std::int64_t>{kBatch, width}}, {"name", "z"}, {"batch", batch}}, {}, {}, {}, step};
}

struct Moments {
  double mean, variance;
};
Moments moments(const Numbers& numbers) {
  double total = 0, squares = 0;
  for (const double x : numbers) {
    total += x;
    squares += x * x;
  }
  const double n = static_cast<double>(numbers.size()), mean = total / n;
  return {mean, squares / n - mean * mean};
}

TEST(Random, KernelsMatchTheReference) {
  const StepContext step{7, 2, (std::uint64_t{1} << 33) + 5, 64};
  for (const std::int64_t n : {1, 3, 63, 64, 65, 130, 1000}) {
    for (const double rate : {0.0, 0.1, 0.5, 0.999}) {
      expect_cpu_matches_reference(dropout_case({3, n}, rate, step));
    }
    expect_cpu_matches_reference(random_case("random_uniform", 3, n, step), 0);
    expect_cpu_matches_reference(random_case("random_normal", 3, n, step));
  }
  expect_cpu_matches_reference(dropout_case({2, 3, 5, 7}, 0.3, step));
  expect_cpu_matches_reference(dropout_case({}, 0.3, step));
}

TEST(Random, ASampleDrawsTheSameNumbersInEveryLane) {
  const Numbers whole = cpu_outputs(random_case("random_uniform", 6, 10, {1, 0, 3, 100}))[0];
  const Numbers lane = cpu_outputs(random_case("random_uniform", 2, 10, {1, 0, 3, 104}))[0];
  EXPECT_EQ(lane, Numbers(whole.end() - 20, whole.end()));
}

TEST(Random, SeedStepNameAndOpAllChangeTheNumbers) {
  const Numbers base = cpu_outputs(dropout_case({4, 100}, 0.5, {1, 0, 3, 0}))[0];
  EXPECT_NE(cpu_outputs(dropout_case({4, 100}, 0.5, {2, 0, 3, 0}))[0], base);
  EXPECT_NE(cpu_outputs(dropout_case({4, 100}, 0.5, {1, 0, 4, 0}))[0], base);
  EXPECT_NE(cpu_outputs(dropout_case({4, 100}, 0.5, {1, 0, 3 + (std::uint64_t{1} << 32), 0}))[0], base);
  EXPECT_NE(cpu_outputs(dropout_case({4, 100}, 0.5, {1, 0, 3, 0}, "layer2"))[0], base);
  EXPECT_NE(KeyedSource({}, "dropout", "a").word(0, 0), KeyedSource({}, "random_uniform", "a").word(0, 0));
}

TEST(Random, NumbersHaveTheMomentsTheyShould) {
  // 100,000 draws: five standard deviations of the mean and the variance
  const double width = 5 / std::sqrt(100'000.0);
  const Moments uniform = moments(cpu_outputs(random_case("random_uniform", 100, 1000, {}))[0]);
  EXPECT_NEAR(uniform.mean, 0.5, width * std::sqrt(1.0 / 12));
  EXPECT_NEAR(uniform.variance, 1.0 / 12, width * std::sqrt(1.0 / 180));
  const Moments normal = moments(cpu_outputs(random_case("random_normal", 100, 1000, {}))[0]);
  EXPECT_NEAR(normal.mean, 0, width);
  EXPECT_NEAR(normal.variance, 1, width * std::sqrt(2.0));
  const Moments mask = moments(cpu_outputs(dropout_case({100, 1000}, 0.2, {}))[0]);
  EXPECT_NEAR(mask.mean, 1, width * 0.5);
  EXPECT_NEAR(mask.variance, 0.25, width * 0.5);
}

TEST(Random, DropoutPassesTheGradientThroughTheSameMask) {
  const GradientCase c{{{2, 5}}, [](Graph&, const std::vector<Value>& p) { return square(dropout(p[0], 0.4, "d")); }};
  expect_gradient(c);
  expect_second_gradient(c);
}

OpCase augment_case(const Shape& shape, std::int64_t crop, bool flip, StepContext step) {
  Numbers pixels;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    pixels.push_back(static_cast<double>(i + 1));
  }
  return {op("augment"), {{"crop", crop}, {"flip", std::int64_t{flip ? 1 : 0}}, {"name", "x"}}, {{shape, DType::f32}}, {pixels}, {}, step};
}

TEST(Augment, MatchesTheReference) {
  for (const bool flip : {false, true}) {
    for (const std::int64_t crop : {0, 1, 3}) {
      for (const Shape& shape : {Shape{5, 1, 4, 4}, Shape{3, 3, 5, 9}, Shape{1, 2, 8, 5}}) {
        expect_cpu_matches_reference(augment_case(shape, crop, flip, {7, 2, 5, 64}), 0);
      }
    }
  }
}

/// Of one row of pixels 1 2 3 4 5: every move and its mirror image come up about equally often, and nothing else.
TEST(Augment, MovesAndMirrorsEvenly) {
  const Numbers y = cpu_outputs(augment_case({1000, 1, 3, 5}, 2, true, {}))[0];
  std::map<std::string, int> seen;
  for (std::size_t image = 0; image < 1000; ++image) {
    std::string row;
    for (std::size_t w = 0; w < 5; ++w) {
      for (std::size_t h = 0; h < 3; ++h) {
        if (const double pixel = y[(image * 3 + h) * 5 + w]; pixel > 0) {
          row += std::to_string((static_cast<int>(pixel) - 1) % 5 + 1);
          break;
        }
      }
    }
    ++seen[row];
  }
  EXPECT_EQ(seen.size(), 10U);
  for (const char* row : {"12345", "54321", "1234", "4321", "2345", "5432", "123", "321", "345", "543"}) {
    EXPECT_NEAR(seen[row], 100, 50) << row;
  }
}

TEST(Augment, ASampleIsTheSameInEveryLaneAndAnotherInEveryStep) {
  const Numbers whole = cpu_outputs(augment_case({6, 1, 1, 8}, 0, true, {1, 0, 3, 100}))[0];
  Numbers last = cpu_outputs(augment_case({2, 1, 1, 8}, 0, true, {1, 0, 3, 104}))[0];
  for (double& pixel : last) {
    pixel += 4 * 8;
  }
  EXPECT_EQ(last, Numbers(whole.end() - 16, whole.end()));
  EXPECT_NE(cpu_outputs(augment_case({60, 1, 1, 8}, 0, true, {1, 0, 3, 0})),
            cpu_outputs(augment_case({60, 1, 1, 8}, 0, true, {1, 0, 4, 0})));
}

TEST(Augment, RefusesWhatIsNoImageOrTooSmall) {
  expect_shape_error({{3, 4}}, [&](Graph&, const std::vector<Value>& p) { return augment(p[0], 1, true, "x"); });
  expect_shape_error({{3, 1, 4, 9}}, [&](Graph&, const std::vector<Value>& p) { return augment(p[0], 4, true, "x"); });
}

TEST(Random, ShapesFollowTheNumberOfSamples) {
  Graph graph(2);
  graph.set_output("z", random_normal(graph, {kBatch, 3}, "z"));
  const Graph larger = graph.rebatch(5);
  EXPECT_EQ(larger.type(larger.output("z")).shape, (Shape{5, 3}));
}

TEST(Random, ARateOfOneIsRefused) {
  for (const double rate : {1.0, -0.1, std::nan("")}) {
    expect_shape_error({{3, 4}}, [&](Graph&, const std::vector<Value>& p) { return dropout(p[0], rate, "d"); });
  }
}

}  // namespace
}  // namespace lockstep::test
