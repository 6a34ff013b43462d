#include <fmt/format.h>

#include <algorithm>

#include "lockstep/error.hpp"
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

}  // namespace

FlatLayout lay_buckets(const Graph& graph, std::int64_t bucket_elements) {
  struct Finished {
    Ref ref;
    std::string name;
    bool trained;
  };
  std::vector<Finished> finished;
  for (const auto& [name, ref] : graph.outputs()) {
    for (const auto& [prefix, trained] : {std::pair{kGradientPrefix, true}, std::pair{kStatePrefix, false}}) {
      if (name.starts_with(prefix)) {
        finished.push_back({ref, name.substr(prefix.size()), trained});
      }
    }
  }
  std::stable_sort(finished.begin(), finished.end(), [](const Finished& a, const Finished& b) { return a.ref.node < b.ref.node; });

  FlatLayout layout;
  for (const Finished& f : finished) {
    const Node& node = leaf_of(graph, f.trained ? leaf::parameter() : leaf::state(), f.name);
    FlatTensor tensor{f.name, node.outputs[0].shape, layout.size, node.outputs[0].elements(), f.trained, 0, false, initializer_of(node)};
    tensor.momentum = f.trained ? 0 : node.attrs.real("momentum");
    tensor.penalised = f.trained && tensor.shape.rank() >= 2;
    layout.size += (tensor.count + kAlignment - 1) / kAlignment * kAlignment;
    layout.tensors.push_back(std::move(tensor));
  }

  std::int64_t held = bucket_elements;
  for (const FlatTensor& tensor : layout.tensors) {
    for (std::int64_t begin = 0; begin < tensor.count;) {
      if (held >= bucket_elements) {
        layout.buckets.emplace_back();
        held = 0;
      }
      const std::int64_t room = (bucket_elements - held + kAtom - 1) / kAtom * kAtom;
      const std::int64_t count = std::min(room, tensor.count - begin);
      std::vector<FlatRange>& bucket = layout.buckets.back();
      const std::int64_t start = tensor.offset + begin;
      bucket.push_back({start, start + count});
      begin += count;
      held += count;
    }
  }
  return layout;
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
