#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "graph/rewrite.hpp"
#include "lockstep/op.hpp"

namespace lockstep {
namespace {

/// An op without operands and code: the type of its output stands in the attributes.
class LeafOp final : public Op {
 public:
  constexpr explicit LeafOp(std::string_view name) : name_(name) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType>, const Attrs& attrs) const override {
    return {{Shape(attrs.list("shape")), dtype_from(attrs.text("dtype"))}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall&) const override { return {}; }

 private:
  std::string_view name_;
};

/// By Initializer::Kind's number.
constexpr std::array<std::string_view, 5> kInitializers{"constant", "uniform", "normal", "glorot", "he"};

constinit const LeafOp kInput("input"), kParameter("parameter"), kState("state"), kScalar("scalar"), kConstant("constant");

Shape with_batch(const Shape& shape, std::int64_t batch) {
  std::vector<std::int64_t> dims = shape.dims();
  std::ranges::replace(dims, kBatch, batch);
  return Shape(std::move(dims));
}

Attrs leaf_attrs(const std::string& name, const Shape& shape, DType dtype) {
  return {{"name", name}, {"shape", shape.dims()}, {"dtype", std::string(name_of(dtype))}};
}

Attrs kept_attrs(const std::string& name, const Shape& shape, const Initializer& init) {
  if (std::ranges::any_of(shape.dims(), [](std::int64_t length) { return length < 1; })) {
    throw UsageError(fmt::format("'{}' cannot be {}: the length of an axis is at least 1", name, shape.str()));
  }
  Attrs attrs = leaf_attrs(name, shape, DType::f32);
  attrs.set("init", std::string(kInitializers.at(static_cast<std::size_t>(init.kind))));
  return attrs.set("init_a", init.a).set("init_b", init.b);
}

}  // namespace

namespace leaf {
const Op& input() { return kInput; }
const Op& parameter() { return kParameter; }
const Op& state() { return kState; }
const Op& scalar() { return kScalar; }
const Op& constant() { return kConstant; }
bool is_leaf(const Op& op) { return &op == &input() || &op == &parameter() || &op == &state() || &op == &scalar() || &op == &constant(); }
}  // namespace leaf

const TensorType& Value::type() const { return graph->type(ref); }

Initializer initializer_of(const Attrs& attrs, std::optional<Initializer> otherwise) {
  if (!attrs.has("init") && otherwise) {
    return *otherwise;
  }
  const auto* const found = std::ranges::find(kInitializers, attrs.text("init"));
  if (found == kInitializers.end()) {
    throw UsageError(fmt::format("there is no initialiser '{}'; there are {}", attrs.text("init"), fmt::join(kInitializers, ", ")));
  }
  const auto number = [&](const char* key) { return attrs.has(key) ? attrs.real(key) : 0.0; };
  return {static_cast<Initializer::Kind>(found - kInitializers.begin()), number("init_a"), number("init_b")};
}

Graph::Graph(std::int64_t batch) : batch_(batch) {
  if (batch < 1) {
    throw UsageError(fmt::format("a graph needs at least one sample, not {}", batch));
  }
}

Value Graph::leaf(const Op& op, Attrs attrs, TensorType type) {
  for (std::size_t id = 0; id < nodes_.size(); ++id) {
    const Node& node = nodes_[id];
    if (node.op != &op || !node.attrs.has("name") || node.attrs.text("name") != attrs.text("name")) {
      continue;
    }
    if (!(node.attrs == attrs)) {
      throw UsageError(fmt::format("{} '{}' is declared twice and differs: {} and {}", op.name(), attrs.text("name"), node.outputs[0].str(),
                                   type.str()));
    }
    return {this, {static_cast<int>(id), 0}};
  }
  return append({&op, std::move(attrs), {}, {std::move(type)}});
}

Value Graph::append(Node node) {
  nodes_.push_back(std::move(node));
  return {this, {static_cast<int>(nodes_.size()) - 1, 0}};
}

Value Graph::input(const std::string& name, const Shape& shape, DType dtype) {
  return leaf(leaf::input(), leaf_attrs(name, shape, dtype), {with_batch(shape, batch_), dtype});
}

Value Graph::parameter(const std::string& name, const Shape& shape, Initializer init) {
  return leaf(leaf::parameter(), kept_attrs(name, shape, init), {shape, DType::f32});
}

Value Graph::state(const std::string& name, const Shape& shape, Initializer init) {
  return leaf(leaf::state(), kept_attrs(name, shape, init), {shape, DType::f32});
}

Value Graph::scalar(const std::string& name) { return leaf(leaf::scalar(), leaf_attrs(name, {}, DType::f32), {}); }

Value Graph::constant(double number) {
  for (std::size_t id = 0; id < nodes_.size(); ++id) {
    if (nodes_[id].op == &leaf::constant() && nodes_[id].attrs.real("value") == number) {
      return {this, {static_cast<int>(id), 0}};
    }
  }
  return append({&leaf::constant(), {{"value", number}}, {}, {TensorType{}}});
}

Value Graph::add(const Op& op, Attrs attrs, const std::vector<Value>& inputs) {
  Node node{&op, std::move(attrs), {}, {}};
  std::vector<TensorType> types;
  for (const Value& v : inputs) {
    if (v.graph != this) {
      throw UsageError(fmt::format("{}: an operand belongs to another graph", op.name()));
    }
    node.inputs.push_back(v.ref);
    types.push_back(v.type());
  }
  const bool for_samples = node.attrs.has("shape") && std::ranges::find(node.attrs.list("shape"), kBatch) != node.attrs.list("shape").end();
  if (inputs.empty() || node.attrs.has("batch") || (for_samples && !op.view())) {
    node.attrs.set("batch", batch_);
  }
  node.outputs = op.infer(types, node.attrs);
  return append(std::move(node));
}

Value Graph::copy_node(const Node& node, const std::vector<Value>& inputs) {
  if (!leaf::is_leaf(*node.op)) {
    return add(*node.op, node.attrs, inputs);
  }
  Node copy = node;
  if (node.op == &leaf::input()) {
    copy.outputs[0].shape = with_batch(Shape(node.attrs.list("shape")), batch_);
  }
  return append(std::move(copy));
}

Value Graph::output_of(Value v, int index) {
  if (index < 0 || static_cast<std::size_t>(index) >= node(v.ref.node).outputs.size()) {
    throw UsageError(fmt::format("{} has no output {}", node(v.ref.node).op->name(), index));
  }
  return {this, {v.ref.node, index}};
}

void Graph::set_output(const std::string& name, Value value) {
  for (auto& [known, ref] : outputs_) {
    if (known == name) {
      ref = value.ref;
      return;
    }
  }
  outputs_.emplace_back(name, value.ref);
}

void Graph::update_state(const std::string& name, Value value, double momentum) {
  for (Node& node : nodes_) {
    if (node.op == &leaf::state() && node.attrs.text("name") == name) {
      if (node.outputs[0].shape != value.shape()) {
        throw ShapeError(fmt::format("the state '{}' is {}, its new value {}", name, node.outputs[0].shape.str(), value.shape().str()));
      }
      node.attrs.set("momentum", momentum);
      set_output(std::string(kStatePrefix) + name, value);
      return;
    }
  }
  throw UsageError(fmt::format("there is no state '{}' to update", name));
}

const TensorType& Graph::type(Ref ref) const { return node(ref.node).outputs[static_cast<std::size_t>(ref.output)]; }

Ref Graph::output(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& [known, ref] : outputs_) {
    if (known == name) {
      return ref;
    }
    names.push_back(known);
  }
  throw UsageError(fmt::format("the graph has no output '{}'; it has: {}", name, fmt::join(names, ", ")));
}

bool Graph::has_output(const std::string& name) const {
  return std::ranges::any_of(outputs_, [&](const auto& output) { return output.first == name; });
}

Graph Graph::rebatch(std::int64_t batch) const {
  return rewrite(*this, batch,
                 [&](Graph& result, int id, const std::vector<Value>& inputs) { return copy_outputs(result, node(id), inputs); });
}

std::string Graph::str() const {
  std::string text;
  for (std::size_t id = 0; id < nodes_.size(); ++id) {
    const Node& node = nodes_[id];
    std::vector<std::string> inputs, outputs;
    for (const Ref ref : node.inputs) {
      inputs.push_back(ref.output == 0 ? fmt::format("%{}", ref.node) : fmt::format("%{}.{}", ref.node, ref.output));
    }
    for (const TensorType& type : node.outputs) {
      outputs.push_back(type.str());
    }
    const std::string name = node.attrs.has("name") ? " '" + node.attrs.text("name") + "'" : "";
    text += fmt::format("%{} = {}{}({})  {}\n", id, node.op->name(), name, fmt::join(inputs, ", "), fmt::join(outputs, ", "));
  }
  for (const auto& [name, ref] : outputs_) {
    text += fmt::format("{} = %{}.{}\n", name, ref.node, ref.output);
  }
  return text;
}

}  // namespace lockstep
