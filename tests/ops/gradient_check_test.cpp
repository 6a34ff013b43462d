#include "lockstep/gradient_check.hpp"

#include <gtest/gtest.h>

#include <array>

#include "lockstep/error.hpp"
#include "lockstep/ops.hpp"
#include "ops/table.hpp"
#include "runtime/reference.hpp"

namespace lockstep {
namespace {

TEST(GradientCheck, AcceptsARightGradient) {
  Graph graph;
  const Value x = graph.parameter("x", {3}, {}), w = graph.parameter("w", {3}, {});
  const std::array leaves{x, w};
  const GradientCheck check = check_gradient(sum(mul(tanh(x), exp(w))), leaves);
  EXPECT_TRUE(check.ok) << check.where;
  EXPECT_LT(check.worst, 1e-8);
}

TEST(GradientCheck, RefusesAWrongGradientAndSaysWhere) {
  // At its corner relu's gradient is 0, central differences see ½.
  Graph graph;
  const std::array leaves{graph.parameter("x", {3}, {})};
  const GradientCheck check = check_gradient(sum(relu(leaves[0])), leaves, {.leaves = {{"x", {1, 0, -1}}}});
  EXPECT_FALSE(check.ok);
  EXPECT_NEAR(check.worst, 0.5, 1e-6);
  EXPECT_EQ(check.where, "'x'[1]: the gradient is 0, central differences give 0.5");
}

TEST(GradientCheck, ChecksTheSecondDerivative) {
  // The gradient of x·relu(x) is 2·relu(x), which has a corner at 0.
  Graph graph;
  const std::array leaves{graph.parameter("x", {1}, {})};
  const Value y = sum(mul(relu(leaves[0]), leaves[0]));
  EXPECT_TRUE(check_second_gradient(y, leaves, {.leaves = {{"x", {0.5}}}}).ok);
  EXPECT_FALSE(check_second_gradient(y, leaves, {.leaves = {{"x", {0}}}, .step = 1e-3}).ok);
}

TEST(GradientCheck, NotANumberIsRefused) {
  Graph graph;
  const std::array leaves{graph.parameter("x", {2}, {})};
  EXPECT_FALSE(check_gradient(sum(log(leaves[0])), leaves, {.leaves = {{"x", {-1, 1}}}}).ok);
}

TEST(GradientCheck, WantsAScalarAndLeaves) {
  Graph graph;
  const Value x = graph.parameter("x", {3}, {});
  const std::array leaves{x}, no_leaf{exp(x)};
  EXPECT_THROW(static_cast<void>(check_gradient(exp(x), leaves)), ShapeError);
  EXPECT_THROW(static_cast<void>(check_gradient(sum(x), no_leaf)), UsageError);
}

TEST(Reference, MissingAndWrongLeavesAreNamed) {
  Graph graph;
  graph.set_output("y", sum(graph.parameter("weights", {3}, {})));
  EXPECT_EQ(run_reference(graph, {{"weights", {1, 2, 3}}}, {}, reference_kernel).at("y"), std::vector<double>{6});
  EXPECT_THROW(static_cast<void>(run_reference(graph, {}, {}, reference_kernel)), UsageError);
  EXPECT_THROW(static_cast<void>(run_reference(graph, {{"weights", {1, 2}}}, {}, reference_kernel)), UsageError);
}

TEST(Table, NamesAreInOrderAndFound) {
  std::string_view before;
  for (const OpEntry& line : op_table()) {
    EXPECT_LT(before, line.op->name());
    before = line.op->name();
    EXPECT_EQ(find_op(before)->op, line.op);
    EXPECT_EQ(op_named(before), line.op);
    EXPECT_EQ(&entry(*line.op), find_op(before));
    EXPECT_NE(line.reference, nullptr);
    EXPECT_NE(line.cpu == nullptr, line.tile == nullptr) << before << " needs a CPU kernel or a tile function";
  }
  EXPECT_EQ(find_op("no such op"), nullptr);
  EXPECT_THROW(static_cast<void>(entry(leaf::input())), UsageError);
}

}  // namespace
}  // namespace lockstep
