#include <fmt/format.h>

#include <algorithm>

#include "plan/compile.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: a cache line

const Node& leaf_of(const Graph& graph, const Op& op, const std::string& name) {
  for (const Node& node : graph.nodes()) {
    if (node.op == &op && node.attrs.text("name") == name) {
      return node;
    }
  }
  throw UsageError(fmt::format("the graph has no {} '{}'", op.name(), name));
}

/// The elements of a large gradient that one kernel call is to write, whole rows of a matrix product; 0: all of them.
std::int64_t part_of(const Graph& graph, const std::string& output, std::int64_t bucket_elements) {
  const Ref ref = graph.output(output);
  const Shape& shape = graph.type(ref).shape;
  if (graph.node(ref.node).op->name() != "matmul" || shape.rank() != 2 || !has_own_memory(graph, output)) {
    return 0;
  }
  const std::int64_t rows = std::max(kAlignment, bucket_elements / shape[1] / kAlignment * kAlignment);
  return rows < shape[0] ? rows * shape[1] : 0;
}

}  // namespace

FlatLayout flat_layout(const Graph& graph, std::int64_t bucket_elements) {
  struct Finished {
    Ref ref;
    std::string output;
    std::string name;
    bool trained;
  };
  std::vector<Finished> finished;
  for (const auto& [name, ref] : graph.outputs()) {
    for (const auto& [prefix, trained] : {std::pair{kGradientPrefix, true}, std::pair{kStatePrefix, false}}) {
      if (name.starts_with(prefix)) {
        finished.push_back({ref, name, name.substr(prefix.size()), trained});
      }
    }
  }
  std::stable_sort(finished.begin(), finished.end(), [](const Finished& a, const Finished& b) { return a.ref.node < b.ref.node; });

  FlatLayout layout;
  for (const Finished& f : finished) {
    const Node& node = leaf_of(graph, f.trained ? leaf::parameter() : leaf::state(), f.name);
    FlatTensor tensor{f.name, node.outputs[0].shape,     layout.size, node.outputs[0].elements(), f.trained, 0,
                      false,  initializer_of(node.attrs)};
    tensor.momentum = f.trained ? 0 : node.attrs.real("momentum");
    tensor.penalised = f.trained && tensor.shape.rank() >= 2;
    layout.size += (tensor.count + kAlignment - 1) / kAlignment * kAlignment;
    layout.tensors.push_back(std::move(tensor));
  }

  std::int64_t held = bucket_elements;
  for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
    const FlatTensor& tensor = layout.tensors[t];
    const std::int64_t part = part_of(graph, finished[t].output, bucket_elements);
    for (std::int64_t begin = 0; begin < tensor.count;) {
      const std::int64_t count = std::min(part > 0 ? part : tensor.count, tensor.count - begin);
      if (held + count > bucket_elements) {
        layout.buckets.emplace_back();
        held = 0;
      }
      layout.buckets.back().push_back({tensor.offset + begin, tensor.offset + begin + count});
      begin += count;
      held += count;
    }
  }
  return layout;
}

int FlatLayout::bucket_of(std::int64_t element) const {
  const auto after = std::ranges::upper_bound(buckets, element, {}, [](const std::vector<FlatRange>& b) { return b.front().begin; });
  return static_cast<int>(after - buckets.begin()) - 1;
}

const FlatTensor& FlatLayout::tensor(const std::string& name) const {
  const auto it = std::find_if(tensors.begin(), tensors.end(), [&](const FlatTensor& t) { return t.name == name; });
  if (it == tensors.end()) {
    throw UsageError(fmt::format("the model has no tensor '{}'", name));
  }
  return *it;
}

bool FlatLayout::contains(const std::string& name) const {
  return std::any_of(tensors.begin(), tensors.end(), [&](const FlatTensor& t) { return t.name == name; });
}

}  // namespace lockstep
