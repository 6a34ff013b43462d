#include "train/initial.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "lockstep/nn.hpp"
#include "plan/compile.hpp"
#include "scratch_folder.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

FlatLayout layout_of(const Model& model) { return flat_layout(train_lane_graph(model.program("train").rebatch(2))); }

Model small() {
  ModelOptions options;
  options.sample = {3};
  options.hidden = {2};
  options.classes = 2;
  options.batch_norm = true;
  return build_model(options);
}

class Initial : public testing::Test {
 protected:
  Initial() : layout(layout_of(small())), start(static_cast<std::size_t>(layout.size)) {
    initialise(layout, 1, start);
    std::vector<float> other(start.size());
    initialise(layout, 2, other);
    stored = to_tensors(layout, other);
  }
  /// What take_weights makes of `stored`.
  std::vector<NamedTensor> take(const std::vector<std::string>& afresh = {}) {
    std::vector<float> flat = start;
    said = take_weights(layout, {"w.safetensors", stored, afresh}, flat);
    return to_tensors(layout, flat);
  }
  NamedTensor& tensor(const std::string& name) { return *std::ranges::find(stored, name, &NamedTensor::name); }

  const FlatLayout layout;
  std::vector<float> start;
  std::vector<NamedTensor> stored;
  std::string said;
};

TEST_F(Initial, TakesAllTensorsOfTheFile) {
  EXPECT_EQ(take(), stored);
  EXPECT_NE(said.find("the 8 tensors of"), std::string::npos) << said;
}

TEST_F(Initial, NamesEverythingThatDoesNotFit) {
  tensor("layers.1.weight") = {"layers.1.weight", {5, 2}, std::vector<float>(10)};
  tensor("layers.1.bias").name = "layers.1.offset";
  tensor("layers.0.bias").values[1] = std::numeric_limits<float>::quiet_NaN();
  const std::string what = what_throws<CheckpointError>([&] { take(); });
  for (const char* part :
       {"w.safetensors", "missing in the file: layers.1.bias [2]", "not in the model: layers.1.offset [2]",
        "layers.1.weight is [5, 2] in the file, but [2, 2] in the model", "infinite or NaN in the file: layers.0.bias", "--afresh"}) {
    EXPECT_NE(what.find(part), std::string::npos) << what;
  }
}

TEST_F(Initial, WhatStartsAfreshMayDiffer) {
  const std::vector<NamedTensor> before = to_tensors(layout, start);
  tensor("layers.1.weight") = {"layers.1.weight", {5, 2}, std::vector<float>(10)};
  tensor("layers.1.bias").name = "layers.1.offset";
  const std::vector<NamedTensor> taken = take({"layers.1.*"});
  for (std::size_t t = 0; t < taken.size(); ++t) {
    const bool afresh = taken[t].name.starts_with("layers.1.");
    EXPECT_EQ(taken[t], afresh ? before[t] : tensor(taken[t].name));
  }
  EXPECT_NE(said.find("afresh: "), std::string::npos) << said;
}

TEST(Freeze, FrozenTensorsTakeNoGradientAndKeepTheirNames) {
  const std::vector<std::string> patterns{"layers.0.*", "norms.?.*"};
  const Model model = small(), frozen = freeze(model, patterns);
  EXPECT_EQ(frozen.parameter_count(), 2 * 2 + 2);
  EXPECT_EQ(Model::from_json(frozen.json()).json(), frozen.json());
  const FlatLayout before = layout_of(model), after = layout_of(frozen);
  ASSERT_EQ(before.tensors.size(), after.tensors.size());
  for (const FlatTensor& tensor : after.tensors) {
    EXPECT_EQ(tensor.shape, before.tensor(tensor.name).shape);
    EXPECT_EQ(tensor.init, before.tensor(tensor.name).init);
    EXPECT_EQ(tensor.trained, tensor.name.starts_with("layers.1.")) << tensor.name;
    EXPECT_EQ(tensor.momentum, 0) << tensor.name;
  }
}

TEST(Freeze, MistakesAreNamed) {
  const std::vector<std::string> none{"layer.*"}, all{"*"};
  const std::string what = what_throws<UsageError>([&] { static_cast<void>(freeze(small(), none)); });
  EXPECT_NE(what.find("'layer.*'"), std::string::npos) << what;
  EXPECT_THROW(static_cast<void>(freeze(small(), all)), UsageError);
}

}  // namespace
}  // namespace lockstep
