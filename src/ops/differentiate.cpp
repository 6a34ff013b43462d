#include "lockstep/differentiate.hpp"

#include <fmt/format.h>

#include "graph/rewrite.hpp"
#include "lockstep/ops.hpp"

namespace lockstep {
namespace {

/// Marks every node on a way from one of `wrt`.
std::vector<bool> reachable(const Graph& graph, std::span<const Value> wrt, int last) {
  std::vector<bool> marked(static_cast<std::size_t>(last) + 1, false);
  for (const Value& v : wrt) {
    if (v.ref.node <= last) {
      marked[static_cast<std::size_t>(v.ref.node)] = true;
    }
  }
  for (int id = 0; id <= last; ++id) {
    for (const Ref ref : graph.node(id).inputs) {
      if (marked[static_cast<std::size_t>(ref.node)]) {
        marked[static_cast<std::size_t>(id)] = true;
      }
    }
  }
  return marked;
}

}  // namespace

std::vector<Value> differentiate(Value scalar, std::span<const Value> wrt) {
  if (scalar.type().elements() != 1) {
    throw ShapeError(fmt::format("only a scalar can be differentiated, not {}", scalar.type().str()));
  }
  Graph& graph = *scalar.graph;
  const int last = scalar.ref.node;
  const std::vector<bool> marked = reachable(graph, wrt, last);
  std::map<Ref, Value> grads;
  const Value one = graph.constant(1);
  grads[scalar.ref] = scalar.shape().rank() == 0 ? one : broadcast_to(one, scalar.shape());

  for (int id = last; id >= 0; --id) {
    if (!marked[static_cast<std::size_t>(id)] || leaf::is_leaf(*graph.node(id).op)) {
      continue;
    }
    const Node node = graph.node(id);  // a copy: `gradient` appends nodes
    GradientCall call{graph, node.attrs, {}, {}, {}};
    bool any = false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const Ref ref{id, static_cast<int>(i)};
      const auto it = grads.find(ref);
      call.outputs.push_back(graph.value(ref));
      call.grads.push_back(it == grads.end() ? Value{} : it->second);
      any = any || it != grads.end();
    }
    if (!any) {
      continue;
    }
    for (const Ref ref : node.inputs) {
      call.inputs.push_back(graph.value(ref));
    }
    const std::vector<Value> in_grads = node.op->gradient(call);
    for (std::size_t i = 0; i < in_grads.size(); ++i) {
      const Ref ref = node.inputs[i];
      if (!in_grads[i] || !marked[static_cast<std::size_t>(ref.node)]) {
        continue;
      }
      if (in_grads[i].shape() != graph.type(ref).shape) {
        throw ShapeError(fmt::format("the gradient of {} for operand {} is {}, the operand {}", node.op->name(), i,
                                     in_grads[i].shape().str(), graph.type(ref).shape.str()));
      }
      const auto it = grads.find(ref);
      grads[ref] = it == grads.end() ? in_grads[i] : add(it->second, in_grads[i]);
    }
  }

  std::vector<Value> result;
  for (const Value& v : wrt) {
    const auto it = grads.find(v.ref);
    result.push_back(it != grads.end() ? it->second : broadcast_to(graph.constant(0), v.shape()));
  }
  return result;
}

Graph expand_all(const Graph& graph) {
  return rewrite(graph, graph.batch(), [&](Graph& result, int id, const std::vector<Value>& inputs) {
    const Node& node = graph.node(id);
    const std::vector<Value> expanded = node.op->expand(result, inputs, node.attrs);
    return expanded.empty() ? copy_outputs(result, node, inputs) : expanded;
  });
}

}  // namespace lockstep
