#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "lockstep/error.hpp"
#include "train/early_stopping.hpp"
#include "train/optimizer.hpp"
#include "train/schedule.hpp"

namespace lockstep {
namespace {

/// The definition of the tree.
double plain_tree(std::span<const double> v) {
  if (v.size() < 2) {
    return v.empty() ? 0 : v[0];
  }
  const std::size_t left = std::bit_floor(v.size() - 1);
  return plain_tree(v.first(left)) + plain_tree(v.subspan(left));
}

/// Values of very different sizes, so that another order of adding gives other bits.
std::vector<double> uneven_doubles(std::size_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::vector<double> values(n);
  for (double& value : values) {
    value = std::ldexp(static_cast<double>(random()) - 2e9, static_cast<int>(random() % 40));
  }
  return values;
}

std::vector<float> uneven_floats(std::size_t n) {
  std::vector<float> values;
  for (const double value : uneven_doubles(n)) {
    values.push_back(static_cast<float>(value * 1e-9));
  }
  return values;
}

TEST(SumOfSquares, IsTheTreeOverTheSumsOfItsAtoms) {
  constexpr std::size_t kSize = 1024;
  for (const std::size_t elements : {std::size_t{0}, std::size_t{1}, kSize, kSize + 1, 2 * kSize, 3 * kSize, 10 * kSize + 77, 33 * kSize}) {
    const std::vector<float> tensor = uneven_floats(elements);
    std::vector<double> per_atom;
    for (std::size_t at = 0; at < elements; at += kSize) {
      per_atom.push_back(sum_of_squares(std::span(tensor).subspan(at, std::min(kSize, elements - at))));
    }
    EXPECT_EQ(sum_of_squares(tensor), plain_tree(per_atom)) << elements;
  }
}

TEST(SumOfSquares, AnAtomIsEightSums) {
  const std::vector<float> atom = uneven_floats(1023);
  std::vector<double> sum(8);
  for (std::size_t i = 0; i < atom.size(); ++i) {
    sum[i % 8] += static_cast<double>(atom[i]) * atom[i];
  }
  EXPECT_EQ(sum_of_squares(atom), plain_tree(sum));
}

TEST(SumOfSquares, IsRight) {
  for (const std::size_t n : {0, 1, 3, 7, 8, 9, 1023, 1024, 1025, 5000}) {
    const std::vector<float> tensor = uneven_floats(n);
    long double expected = 0;
    for (const float x : tensor) {
      expected += static_cast<long double>(x) * x;
    }
    EXPECT_NEAR(sum_of_squares(tensor), static_cast<double>(expected), 1e-14 * static_cast<double>(expected)) << n;
  }
}

TEST(EarlyStopping, StopsAfterPatienceEpochsWithoutImprovement) {
  EarlyStopping stopping(2, 0.1);
  EXPECT_TRUE(stopping.update(1.0));
  EXPECT_FALSE(stopping.update(0.95)) << "not better by min_delta";
  EXPECT_FALSE(stopping.should_stop());
  EXPECT_TRUE(stopping.update(0.8));
  EXPECT_FALSE(stopping.update(0.8));
  EXPECT_FALSE(stopping.should_stop());
  EXPECT_FALSE(stopping.update(std::nan("")));
  EXPECT_TRUE(stopping.should_stop());
  EXPECT_EQ(stopping.best(), 0.8);
}

TEST(EarlyStopping, PatienceZeroNeverStopsButTracksTheBest) {
  EarlyStopping stopping(0, 0);
  EXPECT_TRUE(stopping.update(1));
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(stopping.update(2));
  }
  EXPECT_FALSE(stopping.should_stop());
  EXPECT_EQ(stopping.best(), 1);
}

TEST(EarlyStopping, NanIsNeverTheBest) {
  EarlyStopping stopping(3, 0);
  EXPECT_FALSE(stopping.update(std::nan("")));
  EXPECT_FALSE(stopping.update(HUGE_VAL));
  EXPECT_TRUE(stopping.update(5));
}

TEST(EarlyStopping, GoesOnFromItsJson) {
  for (const int epochs : {0, 1, 3}) {
    EarlyStopping before(5, 0.01);
    for (int i = 0; i < epochs; ++i) {
      before.update(0.1 + 0.2);
    }
    EarlyStopping after(5, 0.01);
    after.restore(nlohmann::ordered_json::parse(before.to_json().dump()));
    EXPECT_EQ(after.best(), before.best());
    EXPECT_EQ(after.epochs_without_improvement(), before.epochs_without_improvement());
  }
  EarlyStopping stopping(5, 0);
  EXPECT_THROW(stopping.restore({{"best", "x"}, {"epochs_without_improvement", 1}}), CheckpointError);
  EXPECT_THROW(stopping.restore({}), CheckpointError);
}

TEST(EarlyStopping, RefusesANegativeMinDelta) {
  EXPECT_THROW(EarlyStopping(1, -0.1), UsageError);
  EXPECT_THROW(EarlyStopping(1, std::nan("")), UsageError);
}

TEST(Schedule, ConstantAndCosine) {
  const Schedule constant = schedule_from("constant"), cosine = schedule_from("cosine");
  EXPECT_EQ(learning_rate(constant, 0.05, 7, {10, 5}), 0.05);
  EXPECT_EQ(learning_rate(cosine, 0.05, 0, {10, 5}), 0.05);
  EXPECT_EQ(learning_rate(cosine, 0.05, 10, {10, 5}), 0);
  EXPECT_EQ(learning_rate(cosine, 0.05, 11, {10, 5}), 0);
  EXPECT_EQ(learning_rate(cosine, 0.05, 0, {0, 1}), 0);
  for (std::uint64_t step = 0; step < 1000; ++step) {
    const double expected = 0.05 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / 1000)) / 2;
    EXPECT_NEAR(learning_rate(cosine, 0.05, step, {1000, 10}), expected, 4 * 0.05 * std::numeric_limits<double>::epsilon()) << step;
  }
}

TEST(Schedule, StepsDownByEpochs) {
  const Schedule schedule = schedule_from("step:3:0.5");
  EXPECT_EQ(learning_rate(schedule, 0.8, 29, {1000, 10}), 0.8);
  EXPECT_EQ(learning_rate(schedule, 0.8, 30, {1000, 10}), 0.4);
  EXPECT_EQ(learning_rate(schedule, 0.8, 60, {1000, 10}), 0.2);
}

TEST(Schedule, WarmsUp) {
  const Schedule constant = schedule_from("constant", 4);
  for (const auto& [step, part] : {std::pair{0, 0.25}, {1, 0.5}, {3, 1.0}, {4, 1.0}}) {
    EXPECT_EQ(learning_rate(constant, 0.8, static_cast<std::uint64_t>(step), {20, 5}), 0.8 * part) << step;
  }
  const Schedule cosine = schedule_from("cosine", 4);
  EXPECT_EQ(learning_rate(cosine, 0.8, 4, {20, 5}), 0.8) << "the schedule begins after it";
  EXPECT_NEAR(learning_rate(cosine, 0.8, 12, {20, 5}), 0.4, 1e-15);
}

/// torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20), PyTorch 2: step and rate
constexpr std::pair<std::uint64_t, double> kOneCycle[] = {{0, 0.004}, {2, 0.03716718427000252}, {5, 0.1}, {12, 0.0500002}, {19, 4e-7}};

TEST(Schedule, OneCycleIsPyTorchs) {
  const Schedule schedule = schedule_from("one-cycle");
  for (const auto& [step, rate] : kOneCycle) {
    EXPECT_NEAR(learning_rate(schedule, 0.1, step, {20, 5}), rate, 1e-12) << step;
  }
  EXPECT_EQ(learning_rate(schedule, 0.1, 0, {1, 1}), 0.1);
  EXPECT_GT(learning_rate(schedule, 0.1, 7, {3, 1}), 0);
}

TEST(Schedule, TextsGoBothWays) {
  for (const char* text : {"constant", "step:30:0.1", "cosine", "one-cycle"}) {
    EXPECT_EQ(schedule_from(text).text(), text);
  }
  for (const char* text : {"linear", "step", "step:", "step:0:0.1", "step:3", "step:3:", "step:3:2", "step:x:0.1", ""}) {
    EXPECT_THROW(static_cast<void>(schedule_from(text)), UsageError) << text;
  }
  EXPECT_THROW(static_cast<void>(schedule_from("one-cycle", 3)), UsageError);
}

}  // namespace
}  // namespace lockstep
