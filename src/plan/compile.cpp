#include "plan/compile.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ops/table.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

KernelSpec spec_of(const LaidOut& laid, int id) {
  const Node& node = laid.graph.node(id);
  KernelSpec spec{node.attrs, {}, node.outputs, {}, {}};
  for (const Ref ref : node.inputs) {
    spec.in.push_back(laid.graph.type(ref));
    spec.in_layouts.push_back(laid.layout(ref));
  }
  for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
    spec.out_layouts.push_back(laid.layout({id, o}));
  }
  return spec;
}

std::string label_of(const Graph& graph, const Group& group) {
  std::string label;
  for (const int id : group) {
    label += (label.empty() ? "" : "+") + std::string(graph.node(id).op->name());
  }
  return fmt::format("{} %{}", label, group.back());
}

Cost cost_of(const Graph& graph, const Group& group, const GroupCall& call) {
  Cost cost;
  for (const int id : group) {
    std::vector<TensorType> in;
    for (const Ref ref : graph.node(id).inputs) {
      in.push_back(graph.type(ref));
    }
    const Cost one = graph.node(id).op->cost(in, graph.node(id).outputs, graph.node(id).attrs);
    cost.flops += one.flops;
    cost.bytes += one.bytes;
  }
  if (call.chain) {  // inside a chain nothing goes through memory
    cost.bytes = 0;
    for (const auto& refs : {call.reads, call.writes}) {
      for (const Ref ref : refs) {
        cost.bytes += static_cast<double>(graph.type(ref).bytes());
      }
    }
  }
  return cost;
}

PlanStep make_step(const LaidOut& laid, const Group& group, const GroupCall& call, const Memory& memory) {
  PlanStep step;
  step.label = label_of(laid.graph, group);
  step.cost = cost_of(laid.graph, group, call);
  if (call.chain) {
    step.make = [chain = *call.chain] { return make_chain(chain); };
  } else {
    const CpuFactory factory = entry(*laid.graph.node(group[0]).op).cpu;
    step.make = [factory, spec = spec_of(laid, group[0])] { return factory(spec); };
  }
  for (const Ref ref : call.reads) {
    step.in.push_back(memory.places.at(ref));
  }
  for (const Ref ref : call.writes) {
    step.out.push_back(memory.places.at(ref));
    step.out_types.push_back(laid.graph.type(ref));
  }
  return step;
}

/// After which step each tensor of the gradient is written and nobody reads it again (it may serve other values too), and from that how
/// many buckets are complete after each step: from then on other threads may fold into it.
void mark_buckets(std::vector<PlanStep>& steps, const FlatLayout& flat) {
  std::vector<std::size_t> done_at(flat.tensors.size(), 0);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const auto& places : {steps[s].in, steps[s].out}) {
      for (const Place& place : places) {
        for (std::size_t t = 0; place.zone == Place::Zone::gradients && t < flat.tensors.size(); ++t) {
          if (static_cast<std::size_t>(flat.tensors[t].offset) == place.at) {
            done_at[t] = s;
          }
        }
      }
    }
  }
  std::size_t latest = 0;
  for (std::size_t b = 0; b < flat.buckets.size(); ++b) {
    for (const FlatRange& range : flat.buckets[b]) {
      for (std::size_t t = 0; t < flat.tensors.size(); ++t) {
        const FlatTensor& tensor = flat.tensors[t];
        if (tensor.offset < range.end && range.begin < tensor.offset + tensor.count) {
          latest = std::max(latest, done_at[t]);
        }
      }
    }
    steps[latest].buckets_done = static_cast<int>(b) + 1;
  }
}

}  // namespace

FlatLayout flat_layout(const Graph& lane_graph, std::int64_t bucket_elements) { return lay_buckets(lane_graph, bucket_elements); }

Plan compile(const Graph& lane_graph, const FlatLayout& flat) {
  const LaidOut laid = choose_layouts(fuse_epilogues(lane_graph));
  const std::vector<Group> groups = fuse_elementwise(laid);
  const std::vector<GroupCall> calls = describe_calls(laid, groups);
  Plan plan;
  plan.lane_size = lane_graph.batch();
  const Memory memory = assign_memory(laid, calls, flat, plan);
  plan.arena_bytes = memory.arena_bytes;
  plan.tensor_bytes = memory.tensor_bytes;
  std::vector<PlanStep> steps;
  bool trains = false;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    steps.push_back(make_step(laid, groups[i], calls[i], memory));
  }
  for (const auto& [name, ref] : laid.graph.outputs()) {
    const Place place = memory.places.at(ref);
    if (place.zone == Place::Zone::gradients) {
      trains = true;
    } else {
      plan.outputs.push_back({name, laid.graph.type(ref), place});
    }
  }
  if (trains) {
    mark_buckets(steps, flat);
  }
  plan.segments.push_back({std::move(steps)});
  return plan;
}

}  // namespace lockstep
