#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "lockstep/differentiate.hpp"
#include "lockstep/nn.hpp"
#include "lockstep/ops.hpp"
#include "ops/table.hpp"
#include "plan/compile.hpp"
#include "plan/lane_price.hpp"
#include "plan/passes.hpp"
#include "runtime/cpu_executor.hpp"
#include "runtime/reference.hpp"

namespace lockstep {
namespace {

Model small_model(const std::string& name, double dropout, bool batch_norm, nn::Activation activation = nn::Activation::relu) {
  ModelOptions options;
  options.name = name;
  options.sample = name == "cnn" ? Shape{1, 10, 9} : Shape{13};
  options.hidden = {17, 9};
  options.dropout = dropout;
  options.batch_norm = batch_norm;
  options.activation = activation;
  return build_model(options);
}

/// A lane's graph run by plan on the CPU and by the reference in double, on the same keyed numbers.
class Both {
 public:
  explicit Both(const Graph& graph) : Both(graph, flat_layout(graph)) {}
  Both(const Graph& graph, FlatLayout flat)
      : graph_(graph), flat_(std::move(flat)), plan_(compile(graph, flat_)), executor_(plan_, arena_) {
    parameters_ = AlignedFloats(static_cast<std::size_t>(flat_.size));
    gradients_ = AlignedFloats(static_cast<std::size_t>(flat_.size));
    for (const FlatTensor& tensor : flat_.tensors) {
      for (std::int64_t i = 0; i < tensor.count; ++i) {
        const double value = tensor.name.ends_with("running_var") ? 1 : std::sin(static_cast<double>(i * 7 + tensor.offset)) / 3;
        parameters_.data()[tensor.offset + i] = static_cast<float>(value);
        leaves_[tensor.name].push_back(static_cast<double>(static_cast<float>(value)));
      }
    }
    for (const NamedType& input : plan_.inputs) {
      AlignedBytes& memory = memory_.emplace_back(input.type.bytes());
      for (std::int64_t i = 0; i < input.type.elements(); ++i) {
        const bool labels = input.type.dtype == DType::i32;
        const double value = labels ? static_cast<double>(i % 10) : std::cos(static_cast<double>(i * i % 977));
        if (labels) {
          reinterpret_cast<std::int32_t*>(memory.data())[i] = static_cast<std::int32_t>(value);
        } else {
          reinterpret_cast<float*>(memory.data())[i] = static_cast<float>(value);
        }
        leaves_[input.name].push_back(labels ? value : static_cast<double>(static_cast<float>(value)));
      }
      inputs_.push_back(memory.data());
    }
    scalars_.assign(plan_.scalars.size(), 0.125F);
    for (const std::string& scalar : plan_.scalars) {
      leaves_[scalar] = {0.125};
    }
  }

  void run() { executor_.run({inputs_, scalars_, parameters_.data(), gradients_.data()}, context_); }

  void expect_same() {
    run();
    const NamedNumbers wanted = run_reference(graph_, leaves_, context_, reference_kernel);
    double largest = 0;  // some gradients are zero but for rounding, such as a bias's before batch norm: rounding scales with the others
    for (const auto& [name, numbers] : wanted) {
      for (const double w : numbers) {
        largest = std::max(largest, std::abs(w));
      }
    }
    for (const auto& [name, numbers] : wanted) {
      const float* got = nullptr;
      for (const std::string_view prefix : {kGradientPrefix, kStatePrefix}) {
        if (name.starts_with(prefix)) {
          got = gradients_.data() + flat_.tensor(name.substr(prefix.size())).offset;
        }
      }
      got = got == nullptr ? executor_.output(name) : got;
      double scale = largest / 100;
      for (const double w : numbers) {
        scale = std::max(scale, std::abs(w));
      }
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(got[i]), numbers[i], 2e-5 * scale) << name << " element " << i;
      }
    }
  }

  const Plan& plan() const { return plan_; }
  const FlatLayout& flat() const { return flat_; }
  CpuExecutor& executor() { return executor_; }
  float* parameters() { return parameters_.data(); }
  LaneBinding binding() { return {inputs_, scalars_, parameters_.data(), gradients_.data()}; }
  /// Runs call by call and tells how many buckets are done after each.
  template <class Done>
  void run_step_by_step(Done done) {
    LaneBinding with_arena = binding();
    const AlignedBytes arena(plan_.arena_bytes);
    with_arena.arena = arena.data();
    for (std::size_t i = 0; i < executor_.steps(); ++i) {
      executor_.run_step(i, with_arena, context_);
      if (executor_.step(i).buckets_done > 0) {
        done(executor_.step(i).buckets_done);
      }
    }
  }
  const StepContext& context() const { return context_; }

 private:
  Graph graph_;
  FlatLayout flat_;
  Plan plan_;
  AlignedBytes arena_;
  CpuExecutor executor_;
  AlignedFloats parameters_, gradients_;
  std::vector<AlignedBytes> memory_;
  std::vector<const std::byte*> inputs_;
  std::vector<float> scalars_;
  NamedNumbers leaves_;
  StepContext context_{5, 1, 77, 3};
};

Graph train_graph(const Model& model, std::int64_t samples) { return train_lane_graph(model.program("train").rebatch(samples)); }
Graph evaluate_graph(const Model& model, std::int64_t samples) { return evaluate_lane_graph(model.program("evaluate").rebatch(samples)); }

TEST(Plan, TrainsEveryModelAsTheReferenceDoes) {
  for (const char* name : {"mlp", "cnn"}) {
    for (const bool batch_norm : {false, true}) {
      // Batch norm over very few samples is ill-conditioned: float and double part ways without either being wrong.
      for (const std::int64_t samples : batch_norm ? std::vector<std::int64_t>{9, 16} : std::vector<std::int64_t>{1, 3, 8}) {
        SCOPED_TRACE(testing::Message() << name << " batch norm " << batch_norm << " samples " << samples);
        Both(train_graph(small_model(name, 0.25, batch_norm), samples)).expect_same();
      }
    }
  }
}

TEST(Plan, TrainsWithEveryActivationAsTheReferenceDoes) {
  for (const char* name : {"sigmoid", "tanh", "elu", "softplus", "gelu", "silu"}) {
    SCOPED_TRACE(name);
    Both(train_graph(small_model("mlp", 0, false, nn::activation_from(name)), 5)).expect_same();
    Both(train_graph(small_model("cnn", 0, false, nn::activation_from(name)), 3)).expect_same();
  }
}

TEST(Plan, EvaluatesWithRunningStatisticsAsTheReferenceDoes) {
  for (const char* name : {"mlp", "cnn"}) {
    for (const std::int64_t samples : {1, 4, 7}) {
      SCOPED_TRACE(testing::Message() << name << " samples " << samples);
      const Model model = small_model(name, 0.25, true);
      Both(evaluate_graph(model, samples), flat_layout(train_graph(model, 4))).expect_same();  // parameters lie where training puts them
    }
  }
}

TEST(Plan, ArenaIsSmallerThanTheSumOfAllTensors) {
  const Both both(train_graph(small_model("cnn", 0.25, true), 8));
  EXPECT_LT(both.plan().arena_bytes, both.plan().tensor_bytes * 3 / 4);
}

TEST(Plan, ActivationsJoinProductsAndElementwiseOpsJoinEachOther) {
  const Model model = small_model("mlp", 0, false, nn::Activation::tanh);
  const Graph graph = train_graph(model, 4);
  const Both both(graph);
  std::size_t chains = 0;
  for (const PlanStep& step : both.plan().segments[0].steps) {
    EXPECT_FALSE(step.label.starts_with("tanh")) << "the product should have taken it over: " << step.label;
    chains += step.label.find('+') != std::string::npos ? 1 : 0;
  }
  EXPECT_GE(chains, 2U) << "tanh's gradient g·(1 − y²) should be one call";
  std::size_t leaves = 0;
  for (const Node& node : graph.nodes()) {
    leaves += leaf::is_leaf(*node.op) ? 1 : 0;
  }
  // Two tanh join products, square, sub and mul of their two gradients become one call each, and a reshape none.
  EXPECT_EQ(both.plan().steps() + 7, graph.nodes().size() - leaves);
}

TEST(Plan, TheSameBitsTwiceAndWithAnotherArenaBefore) {
  Both both(train_graph(small_model("cnn", 0.25, true), 3));
  both.run();
  const std::vector<float> first(both.binding().gradients, both.binding().gradients + both.flat().size);
  both.run();
  EXPECT_EQ(0, std::memcmp(first.data(), both.binding().gradients, first.size() * sizeof(float)));
}

TEST(Plan, BucketsAreFinishedInOrderAndCoverEveryTensorOnce) {
  const Graph graph = train_graph(small_model("mlp", 0, true), 4);
  const FlatLayout flat = flat_layout(graph, 100);
  EXPECT_GT(flat.buckets.size(), 3U);
  std::vector<int> covered(static_cast<std::size_t>(flat.size), 0);
  for (const auto& bucket : flat.buckets) {
    for (const FlatRange& range : bucket) {
      for (std::int64_t i = range.begin; i < range.end; ++i) {
        ++covered[static_cast<std::size_t>(i)];
      }
    }
  }
  for (const FlatTensor& tensor : flat.tensors) {
    EXPECT_EQ(tensor.offset % 16, 0);
    for (std::int64_t i = 0; i < tensor.count; ++i) {
      ASSERT_EQ(covered[static_cast<std::size_t>(tensor.offset + i)], 1) << tensor.name << " element " << i;
    }
  }
  const Plan plan = compile(graph, flat);
  int done = 0;
  for (const PlanStep& step : plan.segments[0].steps) {
    if (step.buckets_done > 0) {
      EXPECT_GT(step.buckets_done, done);
      done = step.buckets_done;
    }
  }
  EXPECT_EQ(done, static_cast<int>(flat.buckets.size()));
}

TEST(Plan, NoBucketIsCalledDoneBeforeItIsWritten) {
  const Graph graph = train_graph(small_model("cnn", 0, true), 2);
  Both both(graph);
  float* gradients = both.binding().gradients;
  both.run();
  const std::vector<float> wanted(gradients, gradients + both.flat().size);
  std::fill_n(gradients, both.flat().size, std::nanf(""));
  both.run_step_by_step([&](int done) {
    for (int b = 0; b < done; ++b) {
      for (const FlatRange& range : both.flat().buckets[static_cast<std::size_t>(b)]) {
        ASSERT_EQ(0, std::memcmp(gradients + range.begin, wanted.data() + range.begin,
                                 static_cast<std::size_t>(range.end - range.begin) * sizeof(float)));
      }
    }
  });
}

/// A gradient may serve other values of the lane too: two parameters that are added have the same gradient. Once a bucket is called done,
/// other threads fold into it and update its parameters, so nobody may read either any more. Large gradients are written in parts.
TEST(Plan, NoBucketIsCalledDoneBeforeItIsReadForTheLastTime) {
  Graph model(4);
  const Value x = model.input("features", {kBatch, 40});
  const Value sum_of_two = add(model.parameter("a", {40, 30}, Initializer::ones()), model.parameter("b", {40, 30}, Initializer::ones()));
  const Value hidden = matmul(x, sum_of_two);
  const Value gate = mul(hidden, model.parameter("c", {30}, Initializer::ones()));
  model.set_output("loss", sum(square(matmul(gate, model.parameter("d", {30, 20}, Initializer::ones()))), {1}));
  const Graph graph = train_lane_graph(model);
  for (const std::int64_t bucket_elements : {50, 700, 5000}) {
    Both both(graph, flat_layout(graph, bucket_elements));
    EXPECT_EQ(both.flat().buckets.size() > 4, bucket_elements == 50);  // d in two parts
    float* gradients = both.binding().gradients;
    both.run();
    const std::vector<float> wanted(gradients, gradients + both.flat().size);
    std::vector<float> got(wanted.size());
    int taken = 0;
    both.run_step_by_step([&](int done) {
      for (; taken < done; ++taken) {
        for (const FlatRange& range : both.flat().buckets[static_cast<std::size_t>(taken)]) {
          std::copy(gradients + range.begin, gradients + range.end, got.begin() + range.begin);
          std::fill(gradients + range.begin, gradients + range.end, 1e9F);
          std::fill(both.parameters() + range.begin, both.parameters() + range.end, 1e9F);
        }
      }
    });
    for (const FlatTensor& tensor : both.flat().tensors) {
      for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.count; ++i) {
        ASSERT_EQ(got[static_cast<std::size_t>(i)], wanted[static_cast<std::size_t>(i)])
            << tensor.name << ", buckets of " << bucket_elements;
      }
    }
  }
}

TEST(Plan, FlatLayoutDoesNotDependOnTheLanesSize) {
  const Model model = small_model("cnn", 0.5, true);
  const FlatLayout two = flat_layout(train_graph(model, 2));
  const FlatLayout nine = flat_layout(train_graph(model, 9));
  ASSERT_EQ(two.tensors.size(), nine.tensors.size());
  for (std::size_t i = 0; i < two.tensors.size(); ++i) {
    EXPECT_EQ(two.tensors[i].name, nine.tensors[i].name);
    EXPECT_EQ(two.tensors[i].offset, nine.tensors[i].offset);
  }
}

TEST(Plan, NamesTheFirstOpThatMakesANaN) {
  Both both(train_graph(small_model("mlp", 0, false), 4));
  EXPECT_FALSE(both.executor().find_non_finite(both.binding(), both.context()).has_value());
  both.parameters()[both.flat().tensor("layers.1.bias").offset] = INFINITY;
  const auto label = both.executor().find_non_finite(both.binding(), both.context());
  ASSERT_TRUE(label.has_value());
  EXPECT_TRUE(label->starts_with("matmul")) << *label;
}

TEST(Passes, DeadNodesGo) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3});
  static_cast<void>(exp(x));
  graph.set_output("y", relu(x));
  EXPECT_EQ(drop_dead(graph).nodes().size(), 2U);
}

TEST(Passes, DuplicatesBecomeOne) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3});
  graph.set_output("y", add(exp(x), exp(x)));
  EXPECT_EQ(drop_dead(merge_duplicates(graph)).nodes().size(), 3U);
}

TEST(Passes, PoolingComesBeforeReluAndTheGradientIsTheSame) {
  Graph graph(2);
  const Value x = graph.parameter("x", {2, 3, 6, 5}, {});
  graph.set_output("y", max_pool(relu(x), 2, 2));
  const Value kept = relu(neg(x));  // read twice: stays
  graph.set_output("z", sum(add(max_pool(kept, 3, 1, 1), kept)));
  Graph after = pool_first(graph);
  EXPECT_EQ(after.node(after.output("y").node).op->name(), "relu");
  EXPECT_EQ(after.nodes().size(), graph.nodes().size());
  NamedNumbers leaves;
  for (int i = 0; i < 180; ++i) {
    leaves["x"].push_back(std::sin(i * i));
  }
  for (Graph* each : {&graph, &after}) {
    const Value w = mul(each->value(each->output("y")), each->constant(3));
    each->set_output(
        "dx", differentiate(add(sum(square(w)), each->value(each->output("z"))), std::vector{each->parameter("x", {2, 3, 6, 5}, {})})[0]);
  }
  const NamedNumbers before = run_reference(graph, leaves, {}, reference_kernel);
  for (const auto& [name, numbers] : run_reference(after, leaves, {}, reference_kernel)) {
    EXPECT_EQ(numbers, before.at(name)) << name;
  }
}

TEST(Passes, TheBiasBeforeAPoolingSumsThePooledGradient) {
  Graph model(3);
  const nn::Scope scope{model, true};
  const Value x = model.input("features", {kBatch, 2, 9, 9});
  nn::classify(scope, nn::dense(scope, "out", flatten(max_pool(nn::conv2d(scope, "c", x, 8, 3, 1, 1, Initializer::he()), 3, 2, 1)), 10,
                                Initializer::glorot()));
  const Graph graph = train_lane_graph(model), fused = fuse_epilogues(graph);
  EXPECT_EQ(graph.node(graph.node(graph.output("gradient:c.bias").node).inputs[0].node).op->name(), "max_pool_backward");
  EXPECT_NE(fused.node(fused.node(fused.output("gradient:c.bias").node).inputs[0].node).op->name(), "max_pool_backward");
  Both(graph).expect_same();
}

/// Residual blocks of every kind that fuse_epilogues knows: the plan gives what the reference gives for the graph before fusion.
TEST(Passes, BatchNormTakesReluResidualAndMasks) {
  Graph model(6);
  const nn::Scope scope{model, true};
  const Value x = model.input("features", {kBatch, 3, 6, 5});
  const auto conv = [&](const std::string& name, Value v) {
    return nn::batch_norm(scope, name + ".norm", nn::conv2d(scope, name, v, 8, 3, 1, 1, Initializer::he(), false));
  };
  const Value first = relu(conv("a", x));
  const Value second = relu(add(conv("c", relu(conv("b", first))), first));
  const Value third = relu(add(conv("d", second), conv("e", second)));
  nn::classify(scope, nn::dense(scope, "out", nn::global_average_pool(relu(add(third, conv("f", third)))), 10, Initializer::glorot()));
  const Graph graph = train_lane_graph(model);
  const Graph fused = fuse_epilogues(graph);
  std::map<std::string_view, int> count;
  for (const Node& node : fused.nodes()) {
    ++count[node.op->name()];
    if (node.op->name() == "batch_norm") {
      ++count[node.attrs.has("activation") ? node.inputs.size() > 3 ? "with residual" : "with relu" : "alone"];
    } else if (node.op->name() == "batch_norm_backward") {
      ++count[node.attrs.has("mask") ? std::string_view(node.attrs.text("mask")) : "no mask"];
      count["addends"] += node.attrs.has("addend") ? 1 : 0;
    }
  }
  EXPECT_EQ(count["relu"] + count["step"], 0);
  EXPECT_EQ(count["add"], 0);
  EXPECT_EQ(count["with residual"], 3);  // c + a, d + e, f + third
  EXPECT_EQ(count["with relu"], 2);      // a, b
  EXPECT_EQ(count["alone"], 1);          // e
  EXPECT_EQ(count["own"], 2);            // a, b
  EXPECT_EQ(count["tensor"], 3);         // c, f, and of d and e the one that comes first
  EXPECT_EQ(count["no mask"], 1);
  EXPECT_EQ(count["addends"], 3);  // into first, second and third
  Both(graph).expect_same();
}

TEST(Passes, AResidualThatNeedsTheNormItselfStaysApart) {
  Graph graph(4);
  const Value x = graph.input("x", {kBatch, 3});
  const BatchNorm norm = batch_norm(x, graph.parameter("gain", {3}, Initializer::ones()), graph.parameter("bias", {3}, {}));
  graph.set_output("y", relu(add(norm.y, broadcast_to(norm.mean, {kBatch, 3}))));
  Graph fused = fuse_epilogues(graph);
  EXPECT_EQ(fused.node(fused.output("y").node).op->name(), "relu");
}

TEST(Passes, AChainDoesNotCloseACircle) {
  // exp(x) feeds a chain both directly and through a sum: fused, the chain would wait for itself.
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3});
  const Value e = exp(x);
  graph.set_output("y", div(e, sum(e, {-1}, true)));
  const LaidOut laid = choose_layouts(graph);
  for (const Group& group : fuse_elementwise(laid)) {
    EXPECT_EQ(group.size(), 1U);
  }
}

TEST(LanePrice, DefaultLanesAreAPowerOfTwoOfEnoughWork) {
  ModelOptions options;
  options.sample = {784};
  options.hidden = {1024, 1024};
  const Model dense = build_model(options);
  EXPECT_EQ(default_lanes(dense, 128), 2) << "64 samples a lane";
  EXPECT_EQ(default_lanes(dense, 1024), 16);
  EXPECT_EQ(default_lanes(dense, 1), 1);
  options.name = "cnn";
  options.sample = {1, 28, 28};
  EXPECT_GE(default_lanes(build_model(options), 64), 8) << "convolutions need few samples a lane";
  options.batch_norm = true;
  EXPECT_EQ(default_lanes(build_model(options), 64), 4) << "batch norm needs more";
  EXPECT_EQ(default_lanes(build_model(options), 16), 1);
}

}  // namespace
}  // namespace lockstep
