#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

using List = std::vector<std::int64_t>;
const Op& op(const char* name) { return *find_op(name)->op; }

/// Copies are exact.
void expect_same(const OpCase& c) { expect_cpu_matches_reference(c, 0); }

TEST(ShapeOps, TransposeMatchesTheReference) {
  const std::vector<std::pair<Shape, List>> cases{{{}, {}},
                                                  {{7}, {0}},
                                                  {{3, 5}, {1, 0}},
                                                  {{3, 5}, {0, 1}},
                                                  {{33, 47}, {1, 0}},
                                                  {{1, 5}, {1, 0}},
                                                  {{2, 3, 4}, {0, 2, 1}},
                                                  {{2, 3, 4}, {2, 1, 0}},
                                                  {{2, 3, 4}, {1, 2, 0}},
                                                  {{2, 3, 4}, {2, 0, 1}},
                                                  {{2, 5, 3, 17}, {0, 2, 1, 3}},
                                                  {{2, 5, 3, 17}, {0, 2, 3, 1}},
                                                  {{2, 3, 18, 19}, {0, 3, 1, 2}},
                                                  {{2, 3, 4, 5}, {3, 2, 1, 0}},
                                                  {{2, 1, 4, 1}, {3, 2, 1, 0}}};
  for (const auto& [shape, permutation] : cases) {
    expect_same({op("transpose"), {{"permutation", permutation}}, {{shape, DType::f32}}});
    const Numbers numbers = integer_numbers(shape.elements(), 100, 1);
    expect_same({op("transpose"), {{"permutation", permutation}}, {{shape, DType::i32}}, {numbers}});
    expect_same({op("transpose"), {{"permutation", permutation}}, {{shape, DType::u8}}, {numbers}});
  }
}

TEST(ShapeOps, TransposeTurnsAMatrix) {
  const OpCase c{op("transpose"), {{"permutation", List{1, 0}}}, {{{2, 3}, DType::f32}}, {{1, 2, 3, 4, 5, 6}}};
  EXPECT_EQ(cpu_outputs(c)[0], (Numbers{1, 4, 2, 5, 3, 6}));
}

TEST(ShapeOps, SlicePadConcatAndReshapeMatchTheReference) {
  for (const std::int64_t axis : {0, 1, 2, -1}) {
    const Attrs slice_attrs{{"axis", axis}, {"begin", std::int64_t{1}}, {"end", std::int64_t{3}}};
    const Attrs pad_attrs{{"axis", axis}, {"before", std::int64_t{2}}, {"after", std::int64_t{1}}};
    for (const DType dtype : {DType::f32, DType::i32, DType::u8}) {
      const TensorType x{{4, 3, 5}, dtype};
      const std::vector<Numbers> data{integer_numbers(60, 100, 3)};
      expect_same({op("slice"), slice_attrs, {x}, data});
      expect_same({op("pad"), pad_attrs, {x}, data});
      expect_same({op("concat"), {{"axis", axis}}, {x, x, x}, {data[0], integer_numbers(60, 100, 4), integer_numbers(60, 100, 5)}});
      expect_same({op("reshape"), {{"shape", List{-1, 6}}}, {x}, data});
    }
  }
  expect_same({op("concat"), {{"axis", std::int64_t{1}}}, {{{2, 1}, DType::f32}, {{2, 3}, DType::f32}}});
  const OpCase c{op("concat"), {{"axis", std::int64_t{1}}}, {{{2, 1}, DType::f32}, {{2, 2}, DType::f32}}, {{1, 4}, {2, 3, 5, 6}}};
  EXPECT_EQ(cpu_outputs(c)[0], (Numbers{1, 2, 3, 4, 5, 6}));
}

TEST(ShapeOps, GatherAndItsBackwardMatchTheReference) {
  const Numbers picks{2, 0, 2, 1, 2};
  for (const std::int64_t axis : {0, 1, -1}) {
    expect_same({op("gather"), {{"axis", axis}}, {{{3, 4, 3}, DType::f32}, {{5}, DType::i32}}, {{}, picks}});
    const Shape g = axis == 0 ? Shape{5, 4, 3} : axis == 1 ? Shape{3, 5, 3} : Shape{3, 4, 5};
    expect_cpu_matches_reference(
        {op("gather_backward"), {{"axis", axis}, {"rows", std::int64_t{4}}}, {{{5}, DType::i32}, {g, DType::f32}}, {picks, {}}});
  }
  expect_same({op("embedding"), {}, {{{2, 3}, DType::i32}, {{4, 7}, DType::f32}}, {{3, 0, 1, 1, 2, 3}, {}}});
}

TEST(ShapeOps, AnIndexOutOfRangeIsNamed) {
  for (const double bad : {4.0, -1.0}) {
    EXPECT_THROW(cpu_outputs({op("embedding"), {}, {{{2}, DType::i32}, {{4, 7}, DType::f32}}, {{0, bad}, {}}}), DataError);
    EXPECT_THROW(cpu_outputs({op("gather"), {{"axis", std::int64_t{0}}}, {{{4}, DType::f32}, {{2}, DType::i32}}, {{}, {0, bad}}}),
                 DataError);
  }
  try {
    cpu_outputs({op("embedding"), {}, {{{2}, DType::i32}, {{4, 7}, DType::f32}}, {{0, 9}, {}}});
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "embedding: the index 9 at place 1 is not in 0 … 3");
  }
}

TEST(ShapeOps, FirstAndSecondDerivatives) {
  const std::vector<Build> builds{
      [](Graph&, const std::vector<Value>& p) {
        return transpose(p[0], {2, 0, 1});
      },
      [](Graph&, const std::vector<Value>& p) { return slice(p[0], 1, 1, 3); },
      [](Graph&, const std::vector<Value>& p) { return slice(p[0], -1, 0, 1); },
      [](Graph&, const std::vector<Value>& p) { return pad(p[0], 0, 1, 2); },
      [](Graph&, const std::vector<Value>& p) { return pad(p[0], -2, 0, 2); },
      [](Graph&, const std::vector<Value>& p) {
        return concat({p[0], neg(p[0]), p[0]}, 1);
      },
      [](Graph&, const std::vector<Value>& p) {
        return reshape(p[0], {-1, 4});
      },
      [](Graph&, const std::vector<Value>& p) { return flatten(p[0]); },
      [](Graph&, const std::vector<Value>& p) {
        return broadcast_to(slice(p[0], 1, 0, 1), {3, 2, 5, 2});
      },
      [](Graph& graph, const std::vector<Value>& p) { return gather(p[0], graph.input("picks", {3}, DType::i32), 1); },
      [](Graph& graph, const std::vector<Value>& p) {
        return embedding(graph.input("picks", {3}, DType::i32), reshape(p[0], {6, 2}));
      },
  };
  for (std::size_t i = 0; i < builds.size(); ++i) {
    SCOPED_TRACE(i);
    const Build squared = [&](Graph& graph, const std::vector<Value>& p) { return square(builds[i](graph, p)); };
    expect_gradient({{{2, 3, 2}}, squared, {}, {{"picks", {2, 0, 2}}}});
    expect_second_gradient({{{2, 3, 2}}, squared, {}, {{"picks", {2, 0, 2}}}});
  }
}

TEST(ShapeOps, ShapesFollowTheNumberOfSamples) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3, 4});
  const Value row = broadcast_to(graph.parameter("row", {1, 12}, {}), {kBatch, 12});
  graph.set_output("y", add(flatten(x), row));
  const Graph larger = graph.rebatch(5);
  EXPECT_EQ(larger.type(larger.output("y")).shape, (Shape{5, 12}));
}

TEST(ShapeOps, WhatDoesNotFitIsRefused) {
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return transpose(p[0], {0, 0}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return slice(p[0], 1, 2, 4); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return pad(p[0], 0, -1, 0); });
  expect_shape_error({{2, 3}, {2, 3, 1}}, [](Graph&, const std::vector<Value>& p) { return concat(p, 0); });
  expect_shape_error({{2, 3}, {3, 2}}, [](Graph&, const std::vector<Value>& p) { return concat(p, 0); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return reshape(p[0], {4}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return reshape(p[0], {-1, 4}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return reshape(p[0], {-1, -1}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return broadcast_to(p[0], {3, 3}); });
  expect_shape_error({{2, 3}}, [](Graph&, const std::vector<Value>& p) { return broadcast_to(p[0], {3}); });
  expect_shape_error({{2, 3}, {2}}, [](Graph&, const std::vector<Value>& p) { return gather(p[0], p[1]); });
  expect_shape_error({{3}}, [](Graph& graph, const std::vector<Value>& p) { return embedding(graph.input("i", {2}, DType::i32), p[0]); });
}

}  // namespace
}  // namespace lockstep::test
