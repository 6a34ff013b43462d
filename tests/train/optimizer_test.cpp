#include "train/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "lockstep/error.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

constexpr double kRate = 0.05;

/// A weight of three atoms, its bias, and a running mean.
FlatLayout layout() {
  FlatLayout flat;
  flat.tensors = {{"a.weight", {7, 300}, 0, 2100, true, 0, true, {}},
                  {"a.bias", {7}, 2112, 7, true, 0, false, {}},
                  {"a.mean", {5}, 2128, 5, false, 0.1, false, {}}};
  flat.size = 2144;
  flat.buckets = {{{0, 2100}}, {{2112, 2119}, {2128, 2133}}};
  return flat;
}

std::vector<float> normals(std::size_t count, unsigned seed, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) {
    value = normal(random);
  }
  return values;
}

/// The updater over flat arrays, as the step runs it, and the gradients of each step.
struct Descent {
  explicit Descent(const Recipe& recipe) : updater(layout(), recipe), scales(updater.scales()) {
    state.resize(layout().buckets.size());
    for (std::size_t b = 0; b < state.size(); ++b) {
      state[b].resize(1 + updater.states().size() * 2144);
    }
  }

  void step(std::uint64_t number) {
    g = normals(2144, static_cast<unsigned>(number), 0.5F);
    follow(number);
  }

  /// A step with the gradients in `g`.
  void follow(std::uint64_t number) {
    const StepRates now = updater.rates(kRate, number);
    for (int round = 0; round < updater.rounds(); ++round) {
      std::vector<double> sums;
      for_each_atom([&](const Updater::At& at) {
        sums.resize(sums.size() + 2);
        updater.measure(round, at, now, scales, sums.data() + sums.size() - 2);
      });
      updater.scale(round, sums, scales);
    }
    for_each_atom([&](const Updater::At& at) { updater.update(at, now, scales); });
  }

  void for_each_atom(const std::function<void(const Updater::At&)>& visit) {
    const auto buckets = updater.atoms();
    std::vector<float> scratch(2144);
    for (std::size_t b = 0; b < buckets.size(); ++b) {
      float* at = state[b].data();
      for (const Atom& atom : buckets[b]) {
        visit({atom, g.data() + atom.offset, w.data() + atom.offset, at, scratch.data()});
        at += std::ssize(updater.states()) * atom.count;
      }
    }
  }

  Updater updater;
  StepScales scales;
  std::vector<float> w = normals(2144, 99, 1), g;
  std::vector<std::vector<float>> state;
};

/// What a definition gives in double: called for each step with the gradients, it changes the parameters of the weight and the bias.
using Definition = std::function<void(std::uint64_t step, std::span<const double> g, std::span<double> w, bool weight)>;

void expect_follows(const Recipe& recipe, const Definition& weight, const Definition& bias) {
  Descent descent(recipe);
  std::vector<double> w(descent.w.begin(), descent.w.end());
  for (std::uint64_t step = 0; step < 5; ++step) {
    descent.step(step);
    const std::vector<double> g(descent.g.begin(), descent.g.end());
    weight(step, std::span(g).first(2100), std::span(w).first(2100), true);
    bias(step, std::span(g).subspan(2112, 7), std::span(w).subspan(2112, 7), false);
    for (std::size_t i = 0; i < 2119; ++i) {
      ASSERT_NEAR(descent.w[i], w[i], 2e-6 * (1 + std::abs(w[i]))) << "step " << step << ", element " << i;
    }
  }
}

void expect_follows(const Recipe& recipe, const std::function<Definition()>& make) { expect_follows(recipe, make(), make()); }

double norm(std::span<const double> x) {
  double sum = 0;
  for (const double each : x) {
    sum += each * each;
  }
  return std::sqrt(sum);
}

TEST(Optimizer, PlainAndMomentumAndNesterov) {
  for (const double mu : {0.0, 0.9}) {
    for (const bool nesterov : {false, true}) {
      if (nesterov && mu == 0) {
        continue;
      }
      Recipe recipe = Recipe::sgd(mu, 0.01);
      recipe.optimizer.nesterov = nesterov;
      expect_follows(recipe, [=]() -> Definition {
        return [=, v = std::vector<double>(2100)](auto, auto g, auto w, bool weight) mutable {
          for (std::size_t i = 0; i < g.size(); ++i) {
            const double d = g[i] + (weight ? 0.01 : 0) * w[i];
            v[i] = mu * v[i] + d;
            w[i] -= kRate * (nesterov ? d + mu * v[i] : v[i]);
          }
        };
      });
    }
  }
}

struct Moments {
  std::vector<double> m = std::vector<double>(2100), v = std::vector<double>(2100);
  double direction(std::size_t i, double g, std::uint64_t step) {
    m[i] = 0.8 * m[i] + 0.2 * g;
    v[i] = 0.95 * v[i] + 0.05 * g * g;
    const auto t = static_cast<double>(step + 1);
    return m[i] / (1 - std::pow(0.8, t)) / (std::sqrt(v[i] / (1 - std::pow(0.95, t))) + 1e-3);
  }
};

Recipe moments(Optimizer::Kind kind) {
  Recipe recipe;
  recipe.optimizer = {.kind = kind, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .decay = 0.1};
  return recipe;
}

TEST(Optimizer, AdamW) {
  expect_follows(moments(Optimizer::Kind::adamw), []() -> Definition {
    return [a = Moments()](std::uint64_t step, auto g, auto w, bool weight) mutable {
      for (std::size_t i = 0; i < g.size(); ++i) {
        w[i] -= kRate * (a.direction(i, g[i], step) + (weight ? 0.1 : 0) * w[i]);
      }
    };
  });
}

TEST(Optimizer, LambFollowsTheNormsOfATensor) {
  expect_follows(moments(Optimizer::Kind::lamb), []() -> Definition {
    return [a = Moments()](std::uint64_t step, auto g, auto w, bool weight) mutable {
      std::vector<double> d(g.size());
      for (std::size_t i = 0; i < g.size(); ++i) {
        d[i] = a.direction(i, g[i], step) + (weight ? 0.1 : 0) * w[i];
      }
      const double trust = weight ? norm(w) / norm(d) : 1;
      for (std::size_t i = 0; i < g.size(); ++i) {
        w[i] -= kRate * trust * d[i];
      }
    };
  });
}

TEST(Optimizer, LarsFollowsTheNormsOfATensor) {
  Recipe recipe = Recipe::sgd(0.9, 0.01);
  recipe.optimizer.kind = Optimizer::Kind::lars;
  recipe.optimizer.trust = 0.02;
  expect_follows(recipe, []() -> Definition {
    return [v = std::vector<double>(2100)](auto, auto g, auto w, bool weight) mutable {
      const double trust = weight ? 0.02 * norm(w) / (norm(g) + 0.01 * norm(w)) : 1;
      for (std::size_t i = 0; i < g.size(); ++i) {
        v[i] = 0.9 * v[i] + trust * (g[i] + (weight ? 0.01 : 0) * w[i]);
        w[i] -= kRate * v[i];
      }
    };
  });
}

TEST(Optimizer, ClippingScalesToTheNormOfAllParameters) {
  for (const double clip : {1.0, 1e6}) {
    Recipe recipe = Recipe::sgd(0, 0);
    recipe.clip = clip;
    Descent descent(recipe);
    const std::vector<float> before = descent.w;
    descent.step(3);
    std::vector<double> g(descent.g.begin(), descent.g.begin() + 2100);
    g.insert(g.end(), descent.g.begin() + 2112, descent.g.begin() + 2119);
    EXPECT_NEAR(descent.scales.norm, norm(g), 1e-9 * norm(g));
    const double scale = std::min(1.0, clip / norm(g));
    for (const std::size_t i : {0, 1030, 2099, 2112, 2118}) {
      EXPECT_NEAR(descent.w[i], before[i] - kRate * scale * descent.g[i], 1e-6);
    }
  }
}

TEST(Optimizer, TellsTheNormOfTheGradientWhereARoundMeasuresIt) {
  using Kind = Optimizer::Kind;
  Recipe recipe = Recipe::sgd(0, 0);
  EXPECT_FALSE(Descent(recipe).updater.measures_norm());
  recipe.optimizer.kind = Kind::lamb;  // which measures its direction
  EXPECT_FALSE(Descent(recipe).updater.measures_norm());
  recipe.clip = 1;
  EXPECT_TRUE(Descent(recipe).updater.measures_norm());
  recipe = Recipe::sgd(0.9, 0);
  recipe.optimizer.kind = Kind::lars;
  Descent lars(recipe);
  lars.step(0);
  ASSERT_TRUE(lars.updater.measures_norm());
  std::vector<double> g(lars.g.begin(), lars.g.begin() + 2100);
  g.insert(g.end(), lars.g.begin() + 2112, lars.g.begin() + 2119);
  EXPECT_NEAR(lars.scales.norm, norm(g), 1e-9 * norm(g));
}

TEST(Optimizer, TheNormOfTheParametersLeavesOutWhatIsNotTrained) {
  FlatLayout flat = layout();
  const std::vector<float> w = normals(2144, 99, 1);
  std::vector<double> trained(w.begin(), w.begin() + 2100);
  trained.insert(trained.end(), w.begin() + 2112, w.begin() + 2119);
  EXPECT_NEAR(parameter_norm(flat, w), norm(trained), 1e-9 * norm(trained));
  flat.tensors[1].trained = false;
  EXPECT_NEAR(parameter_norm(flat, w), norm(std::span(trained).first(2100)), 1e-9 * norm(trained));
}

TEST(Optimizer, RatesOfGroups) {
  Recipe recipe = Recipe::sgd(0, 0);
  recipe.rate = 0.1;
  recipe.rates = {{0.01, "a.*"}, {0, "a.bias"}};
  Descent descent(recipe);
  const std::vector<float> before = descent.w;
  descent.step(0);
  EXPECT_FLOAT_EQ(descent.w[5], before[5] - static_cast<float>(kRate / 10) * descent.g[5]);
  EXPECT_EQ(descent.w[2115], before[2115]) << "a rate of 0 freezes";
}

TEST(Optimizer, RunningStatisticsAreMixed) {
  for (const Optimizer::Kind kind : {Optimizer::Kind::sgd, Optimizer::Kind::lamb}) {
    Descent descent(moments(kind == Optimizer::Kind::lamb ? kind : Optimizer::Kind::adamw));
    const float before = descent.w[2130];
    descent.step(0);
    EXPECT_FLOAT_EQ(descent.w[2130], 0.9F * before + 0.1F * descent.g[2130]);
  }
}

TEST(Penalties, L1MakesExactZerosWhereAWeightIsBelowTheThreshold) {
  Recipe recipe = Recipe::sgd(0, 0);
  recipe.penalties = {{.l1 = 10}};
  Descent descent(recipe);
  const std::vector<float> before = descent.w;
  descent.step(0);
  int zeros = 0;
  for (std::size_t i = 0; i < 2100; ++i) {
    const float moved = before[i] - static_cast<float>(kRate) * descent.g[i];
    const float threshold = static_cast<float>(kRate * 10);
    EXPECT_FLOAT_EQ(descent.w[i], std::abs(moved) <= threshold ? 0 : moved - std::copysign(threshold, moved)) << i;
    zeros += descent.w[i] == 0 ? 1 : 0;
  }
  EXPECT_GT(zeros, 500);
  EXPECT_NE(descent.w[2112], 0);
  EXPECT_FLOAT_EQ(descent.w[2112], before[2112] - static_cast<float>(kRate) * descent.g[2112]) << "biases are left out";
}

/// Of Σ (w − c)²/2 + λ·Σ|w| it is c, brought nearer to 0 by λ.
TEST(Penalties, L1EndsAtTheMinimumOfLossAndPenaltyWhateverTheMomentum) {
  Recipe nesterov = Recipe::sgd(0.9, 0), lars = Recipe::sgd(0.9, 0);
  nesterov.optimizer.nesterov = true;
  lars.optimizer.kind = Optimizer::Kind::lars;
  lars.optimizer.trust = 0.5;
  for (Recipe recipe : {Recipe::sgd(0, 0), Recipe::sgd(0.9, 0), nesterov, lars}) {
    recipe.penalties = {{.l1 = 0.5}};
    Descent descent(recipe);
    const std::vector<float> target = normals(2144, 7, 1);
    for (std::uint64_t step = 0; step < 500; ++step) {
      descent.g = descent.w;
      std::ranges::transform(descent.w, target, descent.g.begin(), std::minus());
      descent.follow(step);
    }
    for (std::size_t i = 0; i < 2100; ++i) {
      const float expected = std::abs(target[i]) <= 0.5F ? 0 : target[i] - std::copysign(0.5F, target[i]);
      ASSERT_NEAR(descent.w[i], expected, 1e-4) << i;
    }
  }
}

TEST(Penalties, GroupLassoTakesWholeRows) {
  Recipe recipe = Recipe::sgd(0, 0);
  recipe.penalties = {{.group = 1}};
  Descent descent(recipe);
  for (std::size_t i = 600; i < 900; ++i) {
    descent.w[i] *= 1e-3F;
  }
  const std::vector<float> before = descent.w;
  for (const auto& bucket : descent.updater.atoms()) {
    for (const Atom& atom : bucket) {
      EXPECT_TRUE(atom.tensor != 0 || (atom.offset % 300 == 0 && atom.count % 300 == 0)) << "atoms are whole rows";
    }
  }
  descent.step(0);
  for (std::size_t row = 0; row < 7; ++row) {
    std::vector<double> moved;
    for (std::size_t i = 300 * row; i < 300 * (row + 1); ++i) {
      moved.push_back(before[i] - kRate * descent.g[i]);
    }
    const double kept = std::max(0.0, 1 - kRate * std::sqrt(300.0) / norm(moved));
    EXPECT_EQ(kept == 0, row == 2);
    for (std::size_t i = 0; i < 300; ++i) {
      ASSERT_NEAR(descent.w[300 * row + i], kept * moved[i], 1e-6);
    }
  }
}

TEST(Penalties, TheObjectiveHoldsThemAll) {
  Recipe recipe;
  recipe.penalties = {penalty_from("l1:0.5"), penalty_from("elastic:0.25,3"), penalty_from("group:2@a.weight"),
                      penalty_from("l2:7@*.bias")};
  const Descent descent(recipe);
  double expected = 0;
  for (std::size_t row = 0; row < 7; ++row) {
    const std::vector<double> w(descent.w.begin() + 300 * static_cast<int>(row), descent.w.begin() + 300 * static_cast<int>(row + 1));
    for (const double x : w) {
      expected += 0.75 * std::abs(x) + 1.5 * x * x;
    }
    expected += 2 * std::sqrt(300.0) * norm(w);
  }
  for (std::size_t i = 2112; i < 2119; ++i) {
    expected += 3.5 * static_cast<double>(descent.w[i]) * descent.w[i];
  }
  EXPECT_NEAR(descent.updater.penalty(descent.w), expected, 1e-9 * expected);
}

TEST(Average, IsThatOfAllWeightsSoFar) {
  Recipe recipe = Recipe::sgd(0.9, 0);
  recipe.average = 0.7;
  Descent descent(recipe);
  ASSERT_EQ(descent.updater.states(), (std::vector<std::string>{"momentum", "average"}));
  double sum = 0, weights = 0;
  for (std::uint64_t step = 0; step < 6; ++step) {
    descent.step(step);
    sum = 0.7 * sum + descent.w[3];
    weights = 0.7 * weights + 1;
    EXPECT_NEAR(descent.state[0][1024 + 3], sum / weights, 1e-6) << step;
  }
}

std::string refusal(const std::function<void()>& what) {
  try {
    what();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Recipe, PatternsNameParameters) {
  const auto rule = [](const char* penalty) {
    Recipe recipe;
    recipe.penalties = {penalty_from(penalty)};
    return rules_for(layout(), recipe);
  };
  EXPECT_EQ(rule("l1:2")[0].l1, 2);
  EXPECT_EQ(rule("l1:2")[1].l1, 0) << "biases are left out";
  EXPECT_EQ(rule("l1:2@a.*")[0].l1, 2);
  EXPECT_EQ(rule("l1:2@a.*")[1].l1, 0) << "unless they are named";
  EXPECT_EQ(rule("l1:2@*.bias")[1].l1, 2);
  EXPECT_EQ(rule("l1:2@*.bias")[0].l1, 0);
  EXPECT_NE(refusal([&] { rule("l1:2@b.*"); }).find("a.bias, a.weight"), std::string::npos);
  EXPECT_NE(refusal([&] { rule("l1:2@a.mean"); }), "") << "running statistics are no parameters";
}

TEST(Recipe, MistakesAreNamed) {
  for (const char* text : {"l3:1", "l1", "l1:x", "l1:-1", "l2:nan", "elastic:1", "elastic:1,", "group:1e999", ""}) {
    EXPECT_NE(refusal([&] { static_cast<void>(penalty_from(text)); }).find(std::string("--penalty ") + text), std::string::npos) << text;
  }
  for (const char* text : {"", "fast", "-1", "0.1x", "@a.*"}) {
    EXPECT_NE(refusal([&] { static_cast<void>(rate_from(text)); }), "") << text;
  }
  EXPECT_NE(refusal([] { static_cast<void>(optimizer_from("adam")); }).find("adamw"), std::string::npos);
  Recipe recipe;
  recipe.optimizer.decay = 0.1;
  EXPECT_NE(refusal([&] { static_cast<void>(rules_for(layout(), recipe)); }).find("--penalty l2"), std::string::npos);
}

TEST(Recipe, JsonTellsThemApart) {
  const Recipe base = Recipe::sgd(0.9, 1e-4);
  std::vector<Recipe> others(8, base);
  others[0].rate = 0.02;
  others[1].rates = {{0.1, "a.*"}};
  others[2].penalties.push_back(penalty_from("l1:1"));
  others[3].penalties[0].pattern = "a.*";
  others[4].clip = 1;
  others[5].average = 0.9;
  others[6].optimizer.nesterov = true;
  others[7].optimizer.kind = Optimizer::Kind::lars;
  for (const Recipe& other : others) {
    EXPECT_NE(other.json(), base.json());
  }
  EXPECT_EQ(penalty_from("elastic:1e-5,0.0001@x").l2, 1e-4);
  EXPECT_EQ(base.json()["penalty"][0], "l2:0.0001");
}

}  // namespace
}  // namespace lockstep
