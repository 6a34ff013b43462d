#include "train/step_engine.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "comm/count_allocations.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"
#include "train/workloads.hpp"

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
  std::vector<float> momentum;
  double loss = 0;
};

Trained train_alone(const Workload& workload, int lanes, int threads, ReduceMode reduce = ReduceMode::exact, int steps = 3,
                    std::size_t results_at_once = std::size_t{1} << 30) {
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = lanes;
  job.threads = threads;
  job.threads_per_worker = {threads};
  job.reduce = reduce;
  job.results_at_once = results_at_once;
  StepEngine engine(*communicator, model, job, (workload.batch + lanes - 1) / lanes, {0.9, 1e-3});
  initialise(engine.layout(), 3, engine.set_parameters());
  const SyntheticBatch data(workload, workload.batch, lanes, 0, lanes);
  Trained result;
  for (int s = 0; s < steps; ++s) {
    const StepSums sums =
        engine.train(data.batch(), data.fields(), data.lane_samples(), {7, 0, static_cast<std::uint64_t>(s), 0}, 0.05, false);
    result.loss += sums.loss;
    EXPECT_EQ(sums.samples, workload.batch);
  }
  result.parameters.assign(engine.parameters().begin(), engine.parameters().end());
  result.momentum = engine.gather_momentum();
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
        EXPECT_EQ(one.momentum, other.momentum);
        EXPECT_EQ(one.loss, other.loss);
      }
    }
  }
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

void expect_no_allocation_in_a_step(const std::string& name) {
  for (const int threads : {1, 2}) {
    const Workload workload = small_workload(name);
    const Model model = build_model(workload.model);
    const std::unique_ptr<Communicator> communicator = self_communicator();
    JobShape job;
    job.lanes = 4;
    job.threads = threads;
    job.threads_per_worker = {threads};
    StepEngine engine(*communicator, model, job, 12, {0.9, 1e-3});
    initialise(engine.layout(), 3, engine.set_parameters());
    const SyntheticBatch data(workload, workload.batch, 4, 0, 4);
    const auto step = [&](std::uint64_t s) { engine.train(data.batch(), data.fields(), data.lane_samples(), {7, 0, s, 0}, 0.05, false); };
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

TEST(StepEngine, ANaNStopsEveryWorkerBeforeTheUpdate) {
  const Workload workload = small_workload("mlp");
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = 4;
  StepEngine engine(*communicator, model, job, 12, {0.9, 0});
  initialise(engine.layout(), 3, engine.set_parameters());
  const FlatTensor& bias = engine.layout().tensor("layers.2.bias");
  engine.set_parameters()[static_cast<std::size_t>(bias.offset)] = 1e38F;
  engine.set_parameters()[static_cast<std::size_t>(bias.offset) + 1] = -3e38F;
  const std::vector<float> before(engine.parameters().begin(), engine.parameters().end());
  const SyntheticBatch data(workload, workload.batch, 4, 0, 4);
  try {
    engine.train(data.batch(), data.fields(), data.lane_samples(), {7, 0, 41, 0}, 0.05, false);
    FAIL() << "an infinite loss went unnoticed";
  } catch (const Diverged& error) {
    EXPECT_NE(std::string(error.what()).find("step 41"), std::string::npos) << error.what();
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
  EXPECT_THROW(StepEngine(*communicator, model, {}, 4, {}), UsageError);
}

TEST(StepEngine, FingerprintLeavesParametersAlone) {
  const Workload workload = small_workload("cnn");
  const Model model = build_model(workload.model);
  const std::unique_ptr<Communicator> communicator = self_communicator();
  JobShape job;
  job.lanes = 4;
  StepEngine engine(*communicator, model, job, 12, {0.9, 0});
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

TEST(Optimizer, MatchesTheFormula) {
  FlatTensor weight{"w", {4}, 0, 4, true, 0, true, {}};
  std::vector<float> w{1, -2, 3, 0}, v{0.5F, 0, -1, 2}, g{0.1F, 0.2F, -0.3F, 0.4F};
  const std::vector<float> w0 = w, v0 = v;
  update_atom(weight, {0.9, 0.01}, 0.1, 4, g.data(), v.data(), w.data());
  for (std::size_t i = 0; i < 4; ++i) {
    const float velocity = 0.9F * v0[i] + (g[i] + 0.01F * w0[i]);
    EXPECT_FLOAT_EQ(v[i], velocity);
    EXPECT_FLOAT_EQ(w[i], w0[i] - 0.1F * velocity);
  }
  w = w0;
  update_atom(weight, {0, 0.01}, 0.1, 4, g.data(), nullptr, w.data());
  EXPECT_FLOAT_EQ(w[1], -2 - 0.1F * (0.2F + 0.01F * -2));
  weight.penalised = false;
  w = w0;
  update_atom(weight, {0, 0.01}, 0.1, 4, g.data(), nullptr, w.data());
  EXPECT_FLOAT_EQ(w[1], -2 - 0.1F * 0.2F);
  FlatTensor state{"s", {4}, 0, 4, false, 0.1, false, {}};
  w = w0;
  update_atom(state, {0.9, 0.01}, 0.1, 4, g.data(), nullptr, w.data());
  EXPECT_FLOAT_EQ(w[2], 0.9F * 3 + 0.1F * -0.3F);
}

}  // namespace
}  // namespace lockstep
