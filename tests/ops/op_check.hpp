#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lockstep/differentiate.hpp"
#include "lockstep/gradient_check.hpp"
#include "lockstep/ops.hpp"
#include "ops/table.hpp"

/// What the tests of ops share: one op on given operands by its CPU kernel and by its reference, and gradient checks of small graphs.
namespace lockstep::test {

using Numbers = std::vector<double>;

/// Normal numbers with deviation 1, exact in float; keyed by `seed`.
Numbers normal_numbers(std::int64_t count, std::uint64_t seed);
/// `count` numbers from `low` to `high`, evenly spread, exact in float.
Numbers even_numbers(std::int64_t count, double low, double high);
/// Integers 0 … below−1; keyed by `seed`.
Numbers integer_numbers(std::int64_t count, std::int64_t below, std::uint64_t seed);

/// One call of one op. `data` left empty, or an operand of it, means: keyed normal numbers (zeros for integer types).
struct OpCase {
  const Op& op;
  Attrs attrs;
  std::vector<TensorType> in;
  std::vector<Numbers> data = {};
  /// How the operands lie in memory before the op's layout rule is asked; empty: all plain.
  std::vector<Layout> in_layouts = {};
  StepContext step = {};
};

/// The outputs by the reference kernel.
std::vector<Numbers> reference_outputs(const OpCase& c);
/// The outputs by the CPU kernel (tile ops: broadcast and cut into tiles here; layouts: reordered here). Adds a failure when the kernel
/// leaves an output element unwritten, writes past an end, or gives other bits in a second call; tile ops: when it gives other bits in
/// place.
std::vector<Numbers> cpu_outputs(const OpCase& c);
/// Expects |cpu − reference| ≤ tolerance · max(|reference|, root mean square of the reference output), NaN and infinities alike.
void expect_cpu_matches_reference(const OpCase& c, double tolerance = 2e-6);
void expect_close(const Numbers& got, const Numbers& wanted, double tolerance, const std::string& what);

/// Builds something from f32 parameters of the given shapes, for the gradient checks.
using Build = std::function<Value(Graph&, const std::vector<Value>&)>;
struct GradientCase {
  std::vector<Shape> shapes;
  Build build;
  std::vector<Numbers> data = {};              ///< of the parameters; empty: keyed normal numbers
  std::map<std::string, Numbers> leaves = {};  ///< of other leaves (inputs), by name
};
/// Checks the gradient of Σ w·build(...), w fixed, different numbers, for every element of every parameter.
void expect_gradient(const GradientCase& c, double tolerance = 1e-6);
/// Checks the second derivative too, after expand_all.
void expect_second_gradient(const GradientCase& c, double tolerance = 1e-5);

/// The outputs of a graph made by `build` from f32 parameters, by the reference executor: to compare a composition with an op.
Numbers reference_of(const GradientCase& c);

/// Expects that `build` throws ShapeError when it makes the graph.
void expect_shape_error(const std::vector<Shape>& shapes, const Build& build);

/// Odd lengths around the width of vectors and tiles: 1, 3, 7, N−1, N, N+1, 8N+2.
inline const std::vector<std::int64_t> kOddSizes{1, 3, 7, 15, 16, 17, 130, 1023, 1025, 2500};

}  // namespace lockstep::test
