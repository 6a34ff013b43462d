#include "train/step_engine.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "cli/workloads.hpp"
#include "comm/count_allocations.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

/// A small model with everything that could go wrong: dropout, batch norm, more than one bucket.
Workload small_workload(const std::string& name) {
  Workload workload{name, {}, 48};
  workload.model.name = name;
  const std::map<std::string, Shape> samples{{"mlp", {30}}, {"cnn", {1, 12, 12}}, {"resnet20", {3, 8, 8}}, {"gpt", {12}}};
  workload.model.sample = samples.at(name);
  workload.model.depth = 1;
  workload.model.width = 8;
  workload.model.heads = 2;
  workload.model.hidden = {40, 20};
  workload.model.dropout = 0.3;
  workload.model.batch_norm = true;
  return workload;
}

struct Trained {
  std::vector<float> parameters;
  std::vector<std::vector<float>> state;
  double loss = 0;
};

std::vector<float> state_of(StepEngine& engine, std::size_t number) {
  std::vector<float> flat(engine.parameters().size());
  engine.gather_state(number, flat);
  return flat;
}

/// Where `again` > 0, a new engine goes on with `again` threads from parameters and state after the first step.
Trained train_alone(const Workload& workload, int lanes, int threads, ReduceMode reduce = ReduceMode::exact, int steps = 3,
                    std::size_t results_at_once = std::size_t{1} << 30, const Recipe& recipe = Recipe::sgd(0.9, 1e-3), int again = 0) {
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = lanes;
  job.threads = threads;
  job.threads_per_worker = {threads};
  job.reduce = reduce;
  job.results_at_once = results_at_once;
  const std::int64_t lane_size = (workload.batch + lanes - 1) / lanes;
  auto engine = std::make_unique<StepEngine>(*communicator, model, job, lane_size, recipe);
  initialise(engine->layout(), 3, engine->set_parameters());
  const SyntheticBatch data(workload, workload.batch, lanes, 0, lanes);
  Trained result;
  for (int s = 0; s < steps; ++s) {
    const StepSums sums = engine->train(data.batch(), data.fields(), data.lane_samples(), {7, 0, static_cast<std::uint64_t>(s), 0}, 0.05);
    result.loss += sums.loss;
    EXPECT_EQ(sums.samples, workload.batch);
    if (again > 0 && s == 0) {
      job.threads = again;
      job.threads_per_worker = {again};
      auto next = std::make_unique<StepEngine>(*communicator, model, job, lane_size, recipe);
      std::ranges::copy(engine->parameters(), next->set_parameters().begin());
      for (std::size_t i = 0; i < engine->updater().states().size(); ++i) {
        next->set_state(i, state_of(*engine, i));
      }
      engine = std::move(next);
    }
  }
  result.parameters.assign(engine->parameters().begin(), engine->parameters().end());
  for (std::size_t i = 0; i < engine->updater().states().size(); ++i) {
    result.state.push_back(state_of(*engine, i));
  }
  return result;
}

TEST(StepEngine, SameBitsOnAnyNumberOfThreads) {
  for (const char* name : {"mlp", "cnn", "resnet20", "gpt"}) {
    for (const int lanes : {1, 5, 6, 8}) {
      const Trained one = train_alone(small_workload(name), lanes, 1);
      for (const int threads : {2, 3, 4, 9}) {
        SCOPED_TRACE(testing::Message() << name << " lanes " << lanes << " threads " << threads);
        const Trained other = train_alone(small_workload(name), lanes, threads);
        EXPECT_EQ(one.parameters, other.parameters);
        EXPECT_EQ(one.state, other.state);
        EXPECT_EQ(one.loss, other.loss);
      }
    }
  }
}

struct NamedRecipe {
  const char* name;
  Recipe recipe;
};

/// Every way of updating; patterns fit small_workload("cnn").
std::vector<NamedRecipe> recipes() {
  using Kind = Optimizer::Kind;
  std::vector<NamedRecipe> all{{"plain", Recipe::sgd(0, 0)},
                               {"nesterov", Recipe::sgd(0.9, 0)},
                               {"adamw", {}},
                               {"lars", Recipe::sgd(0.9, 1e-3)},
                               {"lamb", {}},
                               {"clip", Recipe::sgd(0.9, 0)},
                               {"clipped lamb", {}},
                               {"penalties", Recipe::sgd(0.9, 1e-3)},
                               {"clipped lars with everything", Recipe::sgd(0.9, 1e-3)}};
  all[1].recipe.optimizer.nesterov = true;
  all[2].recipe.optimizer = {.kind = Kind::adamw, .decay = 0.1};
  all[3].recipe.optimizer.kind = Kind::lars;
  all[4].recipe.optimizer = {.kind = Kind::lamb, .decay = 0.1};
  all[5].recipe.clip = 0.1;
  all[6].recipe = all[4].recipe;
  all[6].recipe.clip = 0.1;
  for (const char* text : {"l1:1e-3@conv*", "elastic:1e-3,1e-2@dense1.*", "group:1e-3@*.weight", "l1:1e-3@*.bias"}) {
    all[7].recipe.penalties.push_back(penalty_from(text));
  }
  all[8].recipe.penalties = all[7].recipe.penalties;
  all[8].recipe.optimizer.kind = Kind::lars;
  all[8].recipe.clip = 0.1;
  all[8].recipe.average = 0.9;
  all[8].recipe.rates = {{0.001, "conv1.*"}};
  return all;
}

TEST(StepEngine, SameBitsWithEveryRecipeOnAnyThreadsAndGoneOnWith) {
  const Workload workload = small_workload("cnn");
  constexpr std::size_t kAll = std::size_t{1} << 30;
  std::vector<std::vector<float>> models;
  for (const auto& [name, recipe] : recipes()) {
    for (const int lanes : {1, 6}) {
      const Trained one = train_alone(workload, lanes, 1, ReduceMode::exact, 3, kAll, recipe);
      models.push_back(one.parameters);
      for (const int threads : {2, 3, 8}) {
        SCOPED_TRACE(testing::Message() << name << ", " << lanes << " lanes, " << threads << " threads");
        const Trained other = train_alone(workload, lanes, threads, ReduceMode::exact, 3, kAll, recipe);
        EXPECT_EQ(one.parameters, other.parameters);
        EXPECT_EQ(one.state, other.state);
        EXPECT_EQ(one.loss, other.loss);
      }
      EXPECT_EQ(one.parameters, train_alone(workload, lanes, 2, ReduceMode::exact, 3, 1, recipe).parameters) << name << ", lane after lane";
      EXPECT_EQ(one.parameters, train_alone(workload, lanes, 3, ReduceMode::exact, 3, kAll, recipe, 2).parameters)
          << name << ", gone on with";
    }
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(models[i], models[j]) << "recipes " << j / 2 << " and " << i / 2 << " make one model";
    }
  }
}

TEST(StepEngine, LearnsNumbersAndSeveralLabels) {
  for (const nn::Loss loss : {nn::Loss::squared_error, nn::Loss::sigmoid_cross_entropy}) {
    Workload workload = small_workload("mlp");
    workload.model.dropout = 0;
    workload.model.loss = loss;
    workload.model.classes = 3;
    workload.model.labels = {3};
    workload.model.label_type = loss == nn::Loss::squared_error ? DType::f32 : DType::i32;
    if (loss == nn::Loss::sigmoid_cross_entropy) {
      workload.model.classes = 2;  // of which the labels are zeros and ones
      workload.model.labels = {2};
    }
    const double early = train_alone(workload, 4, 1, ReduceMode::exact, 1).loss;
    const Trained later = train_alone(workload, 4, 1, ReduceMode::exact, 200);
    EXPECT_LT(later.loss / 200, early / 2);
    EXPECT_EQ(later.parameters, train_alone(workload, 4, 3, ReduceMode::exact, 200).parameters);
  }
}

TEST(StepEngine, MoreL1LeavesFewerWeights) {
  Workload workload = small_workload("mlp");
  workload.model.dropout = 0;
  workload.model.batch_norm = false;
  const auto zeros = [&](const char* penalty) {
    Recipe recipe = Recipe::sgd(0.9, 0);
    recipe.penalties = {penalty_from(penalty)};
    const Trained trained = train_alone(workload, 4, 1, ReduceMode::exact, 200, std::size_t{1} << 30, recipe);
    return std::ranges::count(trained.parameters, 0.0F);
  };
  const auto none = zeros("l1:0"), few = zeros("l1:0.0005"), many = zeros("l1:0.005");
  EXPECT_GT(few, none + 20);
  EXPECT_GT(many, few + 200);
}

TEST(StepEngine, SameBitsWhenLanesFollowOneAnother) {
  for (const int threads : {1, 3}) {
    const Trained at_once = train_alone(small_workload("cnn"), 8, threads);
    const Trained one_by_one = train_alone(small_workload("cnn"), 8, threads, ReduceMode::exact, 3, 1);
    EXPECT_EQ(at_once.parameters, one_by_one.parameters) << threads;
    EXPECT_EQ(at_once.loss, one_by_one.loss) << threads;
  }
}

/// Threads without a lane own pieces all the same, and those with one need them updated before their ring is free.
/// A plan for one sample has fewer kernel calls: what repeats something for each sample is not there.
TEST(StepEngine, SameBitsWhereSomeLanesHaveOneSample) {
  for (const char* name : {"mlp", "cnn", "gpt"}) {
    SCOPED_TRACE(name);
    Workload workload = small_workload(name);
    workload.model.batch_norm = false;
    workload.batch = 11;  // lanes of 2 and of 1
    const Trained side_by_side = train_alone(workload, 8, 1);
    const Trained one_by_one = train_alone(workload, 8, 1, ReduceMode::exact, 3, 1);
    EXPECT_EQ(side_by_side.parameters, one_by_one.parameters);
    EXPECT_EQ(side_by_side.parameters, train_alone(workload, 8, 3).parameters);
  }
}

TEST(StepEngine, ThreadsWithoutALaneStayUntilTheRingIsFree) {
  Workload workload = small_workload("mlp");
  workload.model.hidden = {2600, 2600};  // more buckets than a ring holds
  const Trained one = train_alone(workload, 1, 1);
  const Trained three = train_alone(workload, 1, 3);
  EXPECT_EQ(one.parameters, three.parameters);
}

TEST(StepEngine, LanesBelongToTheExperiment) {
  EXPECT_NE(train_alone(small_workload("mlp"), 4, 1).parameters, train_alone(small_workload("mlp"), 6, 1).parameters);
}

TEST(StepEngine, SumsInOrderOfArrivalHaveOtherBits) {
  EXPECT_NE(train_alone(small_workload("mlp"), 8, 1, ReduceMode::arrival).parameters, train_alone(small_workload("mlp"), 8, 1).parameters);
}

TEST(StepEngine, LearnsTheSameSamplesByHeart) {
  Workload workload = small_workload("mlp");
  workload.model.dropout = 0;
  const double early = train_alone(workload, 4, 1, ReduceMode::exact, 1).loss;
  const double later = train_alone(workload, 4, 1, ReduceMode::exact, 200).loss / 200;
  EXPECT_LT(later, early / 2);
}

void expect_no_allocation_in_a_step(const std::string& name, const Recipe& recipe = Recipe::sgd(0.9, 1e-3)) {
  for (const int threads : {1, 2}) {
    const Workload workload = small_workload(name);
    const Model model = build_model(workload.model);
    const std::unique_ptr<Communicator> communicator = self_communicator();
    JobShape job;
    job.lanes = 4;
    job.threads = threads;
    job.threads_per_worker = {threads};
    StepEngine engine(*communicator, model, job, 12, recipe);
    initialise(engine.layout(), 3, engine.set_parameters());
    const SyntheticBatch data(workload, workload.batch, 4, 0, 4);
    const auto step = [&](std::uint64_t s) { engine.train(data.batch(), data.fields(), data.lane_samples(), {7, 0, s, 0}, 0.05); };
    step(0);
    step(1);
    const test::AllocationCount before = test::allocations();
    step(2);
    step(3);
    const test::AllocationCount after = test::allocations();
    EXPECT_EQ(after.own - before.own, 0) << name << ", " << threads << " threads";
    std::printf("%s: oneDNN and OpenMP allocated %ld times in two steps on %d threads\n", name.c_str(), after.libraries - before.libraries,
                threads);
  }
}

TEST(StepEngine, AStepAllocatesNothingOfItsOwn) {
  for (const char* name : {"cnn", "resnet20", "gpt"}) {
    expect_no_allocation_in_a_step(name);
  }
}

TEST(StepEngine, AStepOfAnyRecipeAllocatesNothingOfItsOwn) {
  for (const auto& [name, recipe] : recipes()) {
    SCOPED_TRACE(name);
    expect_no_allocation_in_a_step("cnn", recipe);
  }
}

TEST(StepEngine, ANaNStopsEveryWorkerBeforeTheUpdate) {
  const Workload workload = small_workload("mlp");
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = 4;
  StepEngine engine(*communicator, model, job, 12, Recipe::sgd(0.9, 0));
  initialise(engine.layout(), 3, engine.set_parameters());
  const FlatTensor& bias = engine.layout().tensor("layers.2.bias");
  engine.set_parameters()[static_cast<std::size_t>(bias.offset)] = 1e38F;
  engine.set_parameters()[static_cast<std::size_t>(bias.offset) + 1] = -3e38F;
  const std::vector<float> before(engine.parameters().begin(), engine.parameters().end());
  const SyntheticBatch data(workload, workload.batch, 4, 0, 4);
  try {
    engine.train(data.batch(), data.fields(), data.lane_samples(), {7, 0, 41, 0}, 0.05);
    FAIL() << "an infinite loss went unnoticed";
  } catch (const Diverged& error) {
    EXPECT_NE(std::string(error.what()).find("softmax_cross_entropy"), std::string::npos) << error.what();
  }
  EXPECT_EQ(before, std::vector<float>(engine.parameters().begin(), engine.parameters().end()));
}

TEST(StepEngine, AnUnknownScalarIsRefused) {
  const Model model = make_model([](nn::Scope& scope) {
    const Value x = scope.graph.input("features", {kBatch, 30});
    nn::classify(scope, mul(nn::dense(scope, "layer", x, 10), scope.graph.scalar("temperature")));
  });
  const std::unique_ptr<Communicator> communicator = self_communicator();
  EXPECT_THROW(StepEngine(*communicator, model, {}, 4), UsageError);
}

TEST(StepEngine, FingerprintLeavesParametersAlone) {
  const Workload workload = small_workload("cnn");
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = 4;
  StepEngine engine(*communicator, model, job, 12, Recipe::sgd(0.9, 0));
  initialise(engine.layout(), 3, engine.set_parameters());
  const std::vector<float> before(engine.parameters().begin(), engine.parameters().end());
  const SyntheticBatch data(workload, workload.batch, 4, 0, 4);
  const std::string first = engine.fingerprint(data.fields());
  EXPECT_EQ(first, engine.fingerprint(data.fields()));
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(before, std::vector<float>(engine.parameters().begin(), engine.parameters().end()));
}

TEST(Parameters, DependOnSeedAndNameAlone) {
  FlatLayout ab;
  ab.tensors = {{"a", {3, 4}, 0, 12, true, 0, true, Initializer::he()}, {"b", {7}, 16, 7, true, 0, false, Initializer::normal(1, 2)}};
  ab.size = 32;
  FlatLayout ba;
  ba.tensors = {{"b", {7}, 0, 7, true, 0, false, Initializer::normal(1, 2)}, {"a", {3, 4}, 16, 12, true, 0, true, Initializer::he()}};
  ba.size = 32;
  std::vector<float> one(32), other(32), third(32);
  initialise(ab, 9, one);
  initialise(ba, 9, other);
  initialise(ab, 10, third);
  EXPECT_EQ(to_tensors(ab, one), to_tensors(ba, other));
  EXPECT_NE(to_tensors(ab, one), to_tensors(ab, third));
}

TEST(Parameters, InitialisersHaveTheirSpread) {
  FlatLayout layout;
  layout.tensors = {{"he", {200, 300}, 0, 60000, true, 0, true, Initializer::he()},
                    {"glorot", {200, 300}, 60000, 60000, true, 0, true, Initializer::glorot()}};
  layout.size = 120000;
  std::vector<float> flat(120000);
  initialise(layout, 1, flat);
  const auto deviation = [&](std::size_t begin) {
    double squares = 0;
    for (std::size_t i = begin; i < begin + 60000; ++i) {
      squares += static_cast<double>(flat[i]) * static_cast<double>(flat[i]);
    }
    return std::sqrt(squares / 60000);
  };
  EXPECT_NEAR(deviation(0), std::sqrt(2.0 / 300), 0.001);
  EXPECT_NEAR(deviation(60000), std::sqrt(6.0 / 500) / std::sqrt(3.0), 0.001);
  EXPECT_LE(*std::max_element(flat.begin() + 60000, flat.end()), std::sqrt(6.0 / 500));
}

}  // namespace
}  // namespace lockstep
