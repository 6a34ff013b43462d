#include "cli/trained.hpp"

#include <gtest/gtest.h>

#include "lockstep/graph.hpp"
#include "lockstep/ops.hpp"

namespace lockstep::cli {
namespace {

TEST(UnitsOf, AreThoseOfTheFieldThatTheLossComparesWith) {
  const Model model = make_model([](nn::Scope& scope) {
    const Value x = scope.graph.input("features", {kBatch, 3});
    const Value hidden = mul(x, scope.graph.parameter("scale", {1}, Initializer::ones()));
    const Value guess = slice(hidden, 1, 0, 1), logits = slice(hidden, 1, 1, 2);
    scope.graph.set_output("hidden", hidden);
    scope.graph.set_output("guess", guess);
    scope.graph.set_output("loss:price", mean_squared_error(guess, scope.graph.input("price", {kBatch, 1})));
    scope.graph.set_output("loss:labels", softmax_cross_entropy(logits, scope.graph.input("labels", {kBatch}, DType::i32)));
    scope.graph.set_output("logits", logits);
  });
  const auto description = nlohmann::ordered_json::parse(R"({"fields": [
    {"name": "price", "dtype": "f32", "sample": [1], "mean": [500], "std": [100]},
    {"name": "features", "dtype": "f32", "sample": [3], "mean": [1, 2, 3], "std": [4, 5, 6]}]})");
  EXPECT_EQ(units_of(model, description, "guess"), (Statistics{{500}, {100}}));
  EXPECT_EQ(units_of(model, description, "hidden"), Statistics());
  EXPECT_EQ(units_of(model, description, "logits"), Statistics());
}

TEST(UnitsOf, AreThoseOfTheLabelsWhereAModelHasNothingElse) {
  const Model model = make_model([](nn::Scope& scope) {
    const Value x = scope.graph.input("features", {kBatch, 1});
    nn::regress(scope, mul(x, scope.graph.parameter("scale", {1}, Initializer::ones())));
  });
  const auto description =
      nlohmann::ordered_json::parse(R"({"fields": [{"name": "labels", "dtype": "f32", "sample": [1], "mean": [5], "std": [2]}]})");
  EXPECT_EQ(units_of(model, description, "prediction"), (Statistics{{5}, {2}}));
}

}  // namespace
}  // namespace lockstep::cli
