#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/tensor.hpp"

namespace lockstep {

class Op;
class Graph;

/// Names one output of one node inside its graph.
struct Ref {
  int node = -1;
  int output = 0;
  auto operator<=>(const Ref&) const = default;
};

/// A tensor that a graph computes; what the op functions take and give. Cheap to copy. Valid as long as its graph.
struct Value {
  Graph* graph = nullptr;
  Ref ref;

  [[nodiscard]] const TensorType& type() const;
  [[nodiscard]] const Shape& shape() const { return type().shape; }
  explicit operator bool() const { return graph != nullptr; }
};

/// How a parameter or state starts. `a` and `b` mean: constant a; uniform in [a, b); normal with mean a and deviation b.
/// glorot: uniform ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); he: normal, deviation sqrt(2 / fan_in) (He et al. 2015).
/// fan_in and fan_out are taken from a shape [out, in, ...]. fan: uniform ±1/sqrt(a), PyTorch's rule for biases.
struct Initializer {
  enum class Kind : std::uint8_t { constant, uniform, normal, glorot, he } kind = Kind::constant;
  double a = 0;
  double b = 0;

  static Initializer zeros() { return {}; }
  static Initializer ones() { return {Kind::constant, 1, 0}; }
  static Initializer uniform(double low, double high) { return {Kind::uniform, low, high}; }
  static Initializer normal(double mean, double deviation) { return {Kind::normal, mean, deviation}; }
  static Initializer glorot() { return {Kind::glorot, 0, 0}; }
  static Initializer he() { return {Kind::he, 0, 0}; }
  bool operator==(const Initializer&) const = default;
};

/// One operation in a graph. Nodes stand in an order in which they can be computed.
struct Node {
  const Op* op = nullptr;
  Attrs attrs;
  std::vector<Ref> inputs;
  std::vector<TensorType> outputs;
};

/// A static graph of ops. Shapes are concrete: a graph is made for one number of samples (`batch`), and `rebatch` makes it again for
/// another. Leaves are inputs (bound at each run), parameters (trained), state (kept, not trained: running statistics), runtime scalars
/// and constants.
class Graph {
 public:
  explicit Graph(std::int64_t batch = 2);

  [[nodiscard]] std::int64_t batch() const { return batch_; }

  /// An input by name; kBatch in `shape` stands for the number of samples. Throws UsageError if the name is taken by another shape.
  Value input(const std::string& name, const Shape& shape, DType dtype = DType::f32);
  /// A trained tensor, f32. Asking again for the same name gives the same value; another shape throws UsageError.
  Value parameter(const std::string& name, const Shape& shape, Initializer init);
  /// A kept tensor, f32, that training updates by `update_state` and not by its gradient.
  Value state(const std::string& name, const Shape& shape, Initializer init);
  /// A number given at run time, f32 []. Lockstep gives "inverse_batch" (1 / samples in the whole batch) and "lane_share"
  /// (samples in this lane / samples in the whole batch).
  Value scalar(const std::string& name);
  /// A number, f32 [].
  Value constant(double number);

  /// Appends a node and gives its first output. Throws ShapeError if the op refuses the operands.
  Value add(const Op& op, Attrs attrs, const std::vector<Value>& inputs);
  /// Appends a node of another graph, leaf or op, with these operands, and gives its first output. For passes from graph to graph.
  Value copy_node(const Node& node, const std::vector<Value>& inputs);
  /// Another output of the node that `v` comes from.
  Value output_of(Value v, int index);

  /// Declares a result by name; the same name again replaces it.
  void set_output(const std::string& name, Value value);
  /// After a step: state ← (1 − momentum)·state + momentum·Σ over lanes of lane_share·value. `value` is [shape of the state].
  void update_state(const std::string& name, Value value, double momentum);

  [[nodiscard]] const std::deque<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const Node& node(int id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const TensorType& type(Ref ref) const;
  [[nodiscard]] const std::vector<std::pair<std::string, Ref>>& outputs() const { return outputs_; }
  /// Throws UsageError naming the outputs there are.
  [[nodiscard]] Ref output(const std::string& name) const;
  [[nodiscard]] bool has_output(const std::string& name) const;
  [[nodiscard]] Value value(Ref ref) { return {this, ref}; }

  /// The same graph for another number of samples: every shape is inferred again. Only for graphs that were written with kBatch
  /// (models), not for what differentiation made of them.
  [[nodiscard]] Graph rebatch(std::int64_t batch) const;

  /// One line a node: name, op, operands, shapes.
  [[nodiscard]] std::string str() const;

 private:
  Value leaf(const Op& op, Attrs attrs, TensorType type);
  Value append(Node node);

  std::int64_t batch_;
  std::deque<Node> nodes_;
  std::vector<std::pair<std::string, Ref>> outputs_;
};

/// The leaf ops, recognised by address.
namespace leaf {
const Op& input();
const Op& parameter();
const Op& state();
const Op& scalar();
const Op& constant();
[[nodiscard]] bool is_leaf(const Op& op);
}  // namespace leaf

/// The name under which `update_state` declares its output, and back.
inline constexpr std::string_view kStatePrefix = "state:";

/// The initialiser that stands in the attributes of a parameter or state: init ("constant", "uniform", "normal", "glorot" or "he"), init_a
/// and init_b (0 where they are left out); `otherwise` where there is no init. Throws UsageError on another name, or on none.
[[nodiscard]] Initializer initializer_of(const Attrs& attrs, std::optional<Initializer> otherwise = std::nullopt);

}  // namespace lockstep
