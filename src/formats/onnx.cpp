#include "formats/onnx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>

#include "formats/protobuf.hpp"
#include "graph/rewrite.hpp"
#include "lockstep/differentiate.hpp"
#include "lockstep/nn.hpp"

/// Field numbers and enums are those of onnx.proto (github.com/onnx/onnx), operators those of its opset 17.
namespace lockstep {
namespace {

constexpr std::int64_t kOpset = 17, kIrVersion = 8;
constexpr std::int64_t kSamples = 1000003;  ///< the graph is made for so many: a prime that shows which lengths follow from their number
constexpr std::int64_t kFloat = 1, kInt32 = 6, kInt64 = 7;  // TensorProto.DataType
constexpr std::int64_t kAttributeFloat = 1, kAttributeInt = 2, kAttributeInts = 7;

std::int64_t onnx_type(DType dtype) {
  if (dtype != DType::f32 && dtype != DType::i32) {
    throw UsageError(fmt::format("ONNX: no input or output may be {}", name_of(dtype)));
  }
  return dtype == DType::f32 ? kFloat : kInt32;
}

ProtoMessage attribute(const char* name, std::int64_t value) {
  return ProtoMessage().text(1, name).integer(3, value).integer(20, kAttributeInt);
}
ProtoMessage attribute(const char* name, double value) {
  return ProtoMessage().text(1, name).real(2, static_cast<float>(value)).integer(20, kAttributeFloat);
}
ProtoMessage attribute(const char* name, const std::vector<std::int64_t>& values) {
  ProtoMessage message = ProtoMessage().text(1, name);
  for (const std::int64_t value : values) {
    message.integer(8, value);
  }
  return message.integer(20, kAttributeInts);
}

template <class T>
ProtoMessage tensor(const std::string& name, const std::vector<std::int64_t>& dims, std::int64_t type, std::span<const T> values) {
  ProtoMessage message;
  for (const std::int64_t dim : dims) {
    message.integer(1, dim);
  }
  const auto bytes = std::as_bytes(values);
  return message.integer(2, type).text(8, name).text(9, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool of_samples(std::int64_t length) { return length % kSamples == 0; }

/// An input or output.
ProtoMessage value_info(const std::string& name, const TensorType& type) {
  ProtoMessage shape;
  for (const std::int64_t length : type.shape.dims()) {
    shape.message(1, length == kSamples ? ProtoMessage().text(2, "n") : ProtoMessage().integer(1, length));
  }
  const ProtoMessage of_tensor = ProtoMessage().integer(1, onnx_type(type.dtype)).message(2, shape);
  return ProtoMessage().text(1, name).message(2, ProtoMessage().message(1, of_tensor));
}

/// Ops that are one of ONNX's with the same operands and no attributes.
constexpr std::array<std::pair<std::string_view, const char*>, 14> kSame{{{"add", "Add"},
                                                                          {"sub", "Sub"},
                                                                          {"mul", "Mul"},
                                                                          {"div", "Div"},
                                                                          {"maximum", "Max"},
                                                                          {"neg", "Neg"},
                                                                          {"exp", "Exp"},
                                                                          {"log", "Log"},
                                                                          {"sqrt", "Sqrt"},
                                                                          {"erf", "Erf"},
                                                                          {"sigmoid", "Sigmoid"},
                                                                          {"tanh", "Tanh"},
                                                                          {"relu", "Relu"},
                                                                          {"softplus", "Softplus"}}};
constexpr std::array<std::pair<std::string_view, const char*>, 3> kReductions{
    {{"sum", "ReduceSum"}, {"mean", "ReduceMean"}, {"max", "ReduceMax"}}};

const char* find(std::span<const std::pair<std::string_view, const char*>> table, std::string_view op) {
  const auto found = std::ranges::find(table, op, [](const auto& line) { return line.first; });
  return found == table.end() ? nullptr : found->second;
}

class Writer {
 public:
  Writer(const Graph& graph, const std::function<std::span<const float>(const std::string&)>& values, const OnnxFacts& facts)
      : graph_(graph), values_(values), facts_(facts) {}

  std::string write() {
    const std::vector<std::string> outputs = predicted_outputs(graph_);
    if (outputs.empty()) {
      throw UsageError("the model declares no output besides its losses, so there is nothing to export");
    }
    std::vector<bool> wanted(graph_.nodes().size());
    for (const std::string& name : outputs) {
      wanted[static_cast<std::size_t>(graph_.output(name).node)] = true;
    }
    wanted = with_operands(graph_, std::move(wanted));
    for (int id = 0; id < static_cast<int>(graph_.nodes().size()); ++id) {
      if (wanted[static_cast<std::size_t>(id)]) {
        names_[{id, 0}] = leaf::is_leaf(*graph_.node(id).op) ? write_leaf(graph_.node(id)) : write_op(graph_.node(id));
      }
    }
    for (const std::string& name : outputs) {
      const Ref ref = graph_.output(name);
      if (!names_.contains(ref) || inputs_.contains(name)) {
        throw UsageError(fmt::format("ONNX: the output '{}' is called like an input, or is a second result of {}", name,
                                     graph_.node(ref.node).op->name()));
      }
      const std::string value = facts_.mean.contains(name) ? in_units(name, names_[ref], graph_.type(ref).shape) : names_[ref];
      graph_message_.message(1, ProtoMessage().text(1, value).text(2, name).text(4, "Identity"));
      graph_message_.message(12, value_info(name, graph_.type(ref)));
    }
    graph_message_.text(2, "lockstep");
    ProtoMessage model;
    model.integer(1, kIrVersion).text(2, "lockstep").message(7, graph_message_);
    model.message(8, ProtoMessage().text(1, "").integer(2, kOpset));
    for (const auto& [key, value] : facts_.metadata) {
      model.message(14, ProtoMessage().text(1, key).text(2, value));
    }
    if (model.bytes().size() > std::numeric_limits<std::int32_t>::max()) {
      throw UsageError("ONNX: the file would be larger than 2 GiB, which the format does not allow");
    }
    return model.bytes();
  }

 private:
  using Names = std::vector<std::string>;

  std::string node(const char* op, const Names& inputs, const std::vector<ProtoMessage>& attributes = {}) {
    std::string output = fmt::format("#{}", ++count_);
    ProtoMessage message;
    for (const std::string& input : inputs) {
      message.text(1, input);
    }
    message.text(2, output).text(3, output).text(4, op);
    for (const ProtoMessage& each : attributes) {
      message.message(5, each);
    }
    graph_message_.message(1, message);
    return output;
  }

  template <class T>
  std::string constant(const std::vector<std::int64_t>& dims, std::int64_t type, const std::vector<T>& values) {
    std::string name = fmt::format("#{}", ++count_);
    graph_message_.message(5, tensor<T>(name, dims, type, values));
    return name;
  }
  std::string number(double value) { return constant<float>({}, kFloat, {static_cast<float>(value)}); }
  std::string integers(const std::vector<std::int64_t>& values) { return constant<std::int64_t>({std::ssize(values)}, kInt64, values); }

  std::string write_leaf(const Node& leaf_node) {
    if (leaf_node.op == &leaf::constant()) {
      return number(leaf_node.attrs.real("value"));
    }
    const std::string& name = leaf_node.attrs.text("name");
    if (leaf_node.op == &leaf::input()) {
      graph_message_.message(11, value_info(name, leaf_node.outputs[0]));
      inputs_.insert(name);
      return facts_.mean.contains(name) ? normalised(name, leaf_node.outputs[0].shape) : name;
    }
    if (leaf_node.op == &leaf::scalar()) {
      throw UsageError(fmt::format("ONNX: what is predicted depends on the scalar '{}' of training", name));
    }
    graph_message_.message(5, tensor(name, leaf_node.outputs[0].shape.dims(), kFloat, values_(name)));
    return name;
  }

  /// For a value [n, C, ...]: one a channel, or one for all.
  std::string channels(const std::vector<double>& values, const Shape& shape) {
    std::vector<std::int64_t> dims(static_cast<std::size_t>(std::max(1, shape.rank() - 1)), 1);
    dims[0] = std::ssize(values);
    return constant<float>(dims, kFloat, std::vector<float>(values.begin(), values.end()));
  }

  /// (x − mean) / std
  std::string normalised(const std::string& x, const Shape& shape) {
    return node("Div", {node("Sub", {x, channels(facts_.mean.at(x), shape)}), channels(facts_.std.at(x), shape)});
  }

  /// value · std + mean, of an output
  std::string in_units(const std::string& output, const std::string& value, const Shape& shape) {
    return node("Add", {node("Mul", {value, channels(facts_.std.at(output), shape)}), channels(facts_.mean.at(output), shape)});
  }

  std::string as_number(const std::string& truth) { return node("Cast", {truth}, {attribute("to", kFloat)}); }

  std::string write_op(const Node& op) {
    const std::string_view name = op.op->name();
    Names in;
    for (const Ref ref : op.inputs) {
      if (!names_.contains(ref)) {
        throw UsageError(fmt::format("ONNX: there is no form of the second result of {}", graph_.node(ref.node).op->name()));
      }
      in.push_back(names_[ref]);
    }
    if (const char* const same = find(kSame, name)) {
      return node(same, in);
    }
    if (const char* const reduction = find(kReductions, name)) {
      return write_reduction(op, in[0], reduction);
    }
    for (const auto& part : {&Writer::elementwise, &Writer::rows, &Writer::images, &Writer::shapes}) {
      if (std::string done = (this->*part)(op, name, in); !done.empty()) {
        return done;
      }
    }
    throw UsageError(fmt::format("ONNX: there is no form of the op {}", name));
  }

  std::string write_reduction(const Node& op, const std::string& x, const char* reduction) {
    std::vector<std::int64_t> axes = op.attrs.list("axes");
    if (axes.empty()) {
      axes.resize(graph_.type(op.inputs[0]).shape.dims().size());
      std::iota(axes.begin(), axes.end(), 0);
    }
    if (axes.empty()) {
      return x;  // of a number
    }
    const ProtoMessage keep = attribute("keepdims", op.attrs.integer("keep"));
    return op.op->name() == "sum" ? node(reduction, {x, integers(axes)}, {keep}) : node(reduction, {x}, {attribute("axes", axes), keep});
  }

  std::string elementwise(const Node& op, std::string_view name, const Names& in) {
    if (name == "square") {
      return node("Mul", {in[0], in[0]});
    }
    if (name == "silu") {
      return node("Mul", {in[0], node("Sigmoid", {in[0]})});
    }
    if (name == "gelu") {
      const std::string twice_phi = node("Add", {node("Erf", {node("Mul", {in[0], number(std::sqrt(0.5))})}), number(1)});
      return node("Mul", {node("Mul", {in[0], number(0.5)}), twice_phi});
    }
    if (name == "elu") {
      return node("Elu", in, {attribute("alpha", op.attrs.real("alpha"))});
    }
    if (name == "step") {
      return as_number(node("Greater", {in[0], number(0)}));
    }
    return name == "equal" ? as_number(node("Equal", in)) : "";
  }

  /// Ops on the last axes.
  std::string rows(const Node& op, std::string_view name, const Names& in) {
    if (name == "softmax" || name == "log_softmax") {
      return node(name == "softmax" ? "Softmax" : "LogSoftmax", in, {attribute("axis", std::int64_t{-1})});
    }
    if (name == "embedding") {
      return node("Gather", {in[1], in[0]}, {attribute("axis", std::int64_t{0})});
    }
    if (name == "gather") {
      return node("Gather", in, {attribute("axis", op.attrs.integer("axis"))});
    }
    if (name == "one_hot") {
      const std::string index = node("Cast", {in[0]}, {attribute("to", kInt64)});  // onnxruntime takes few pairs of types
      return node("OneHot", {index, integers({op.attrs.integer("classes")}), constant<float>({2}, kFloat, {0, 1})},
                  {attribute("axis", std::int64_t{-1})});
    }
    if (name != "matmul") {
      return "";
    }
    const auto operand = [&](std::size_t i, const char* swapped) {
      return op.attrs.integer(swapped) != 0 ? swap_last(in[i], graph_.type(op.inputs[i]).shape.rank()) : in[i];
    };
    const std::string product = node("MatMul", {operand(0, "transpose_a"), operand(1, "transpose_b")});
    return in.size() == 3 ? node("Add", {product, in[2]}) : product;
  }

  std::string swap_last(const std::string& x, int rank) {
    std::vector<std::int64_t> order;
    for (int axis = 0; axis < rank; ++axis) {
      order.push_back(axis < rank - 2 ? axis : 2 * rank - 3 - axis);
    }
    return node("Transpose", {x}, {attribute("perm", order)});
  }

  /// Ops on x [N, C, H, W].
  std::string images(const Node& op, std::string_view name, const Names& in) {
    if (name != "conv2d" && name != "max_pool" && name != "average_pool") {
      return "";
    }
    const std::int64_t stride = op.attrs.integer("stride"), padding = op.attrs.integer("padding");
    std::vector<ProtoMessage> attributes{attribute("strides", std::vector{stride, stride}), attribute("pads", std::vector(4, padding))};
    if (name == "conv2d") {
      return node("Conv", in, attributes);
    }
    attributes.push_back(attribute("kernel_shape", std::vector(2, op.attrs.integer("window"))));
    if (name == "max_pool") {
      return node("MaxPool", in, attributes);
    }
    attributes.push_back(attribute("count_include_pad", std::int64_t{1}));
    return node("AveragePool", in, attributes);
  }

  std::string shapes(const Node& op, std::string_view name, const Names& in) {
    const auto axis = [&] { return op.attrs.integer("axis"); };
    if (name == "reshape") {
      return node("Reshape", {in[0], integers(for_any_samples(op.outputs[0].shape))});
    }
    if (name == "broadcast_to") {
      return node("Expand", {in[0], integers(expanded(graph_.type(op.inputs[0]).shape, op.outputs[0].shape))});
    }
    if (name == "transpose") {
      return node("Transpose", in, {attribute("perm", op.attrs.list("permutation"))});
    }
    if (name == "concat") {
      return node("Concat", in, {attribute("axis", axis())});
    }
    if (name == "slice") {
      return node("Slice", {in[0], integers({op.attrs.integer("begin")}), integers({op.attrs.integer("end")}), integers({axis()})});
    }
    if (name == "pad") {
      const int rank = op.outputs[0].shape.rank();
      std::vector<std::int64_t> pads(2 * static_cast<std::size_t>(rank), 0);
      const auto at = static_cast<std::size_t>(axis() < 0 ? axis() + rank : axis());
      pads[at] = op.attrs.integer("before");
      pads[at + static_cast<std::size_t>(rank)] = op.attrs.integer("after");
      return node("Pad", {in[0], integers(pads)});
    }
    if (name == "size") {
      std::int64_t size = 1;
      for (const std::int64_t along : op.attrs.list("axes")) {
        size *= graph_.type(op.inputs[0]).shape[static_cast<int>(along)];
      }
      return of_samples(size) ? "" : number(static_cast<double>(size));
    }
    return "";
  }

  /// −1 stands for the axis that follows from the number of samples.
  static std::vector<std::int64_t> for_any_samples(const Shape& shape) {
    std::vector<std::int64_t> dims = shape.dims();
    if (std::ranges::count_if(dims, of_samples) > 1) {
      throw UsageError("ONNX: a reshape makes more than one axis depend on the number of samples");
    }
    std::ranges::replace_if(dims, of_samples, -1);
    return dims;
  }

  /// 1 leaves an axis as it is.
  static std::vector<std::int64_t> expanded(const Shape& from, const Shape& to) {
    std::vector<std::int64_t> dims = to.dims();
    for (int i = 1; i <= to.rank(); ++i) {
      if (of_samples(to[-i]) && (i > from.rank() || from[-i] != to[-i])) {
        throw UsageError("ONNX: a broadcast_to repeats something for each sample");
      }
      dims[dims.size() - static_cast<std::size_t>(i)] = of_samples(to[-i]) ? 1 : to[-i];
    }
    return dims;
  }

  const Graph& graph_;
  const std::function<std::span<const float>(const std::string&)>& values_;
  const OnnxFacts& facts_;
  ProtoMessage graph_message_;
  std::map<Ref, std::string> names_;
  std::set<std::string> inputs_;
  int count_ = 0;
};

}  // namespace

std::vector<std::string> predicted_outputs(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& [name, ref] : graph.outputs()) {
    if (name != "loss" && name != "correct" && !name.starts_with(kLossPrefix) && !name.starts_with(kStatePrefix)) {
      names.push_back(name);
    }
  }
  return names;
}

std::string to_onnx(const Graph& evaluate, const std::function<std::span<const float>(const std::string&)>& values,
                    const OnnxFacts& facts) {
  return Writer(expand_all(evaluate.rebatch(kSamples)), values, facts).write();
}

}  // namespace lockstep
