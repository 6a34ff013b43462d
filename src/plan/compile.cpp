#include "plan/compile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "graph/rewrite.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/table.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

KernelSpec spec_of(const LaidOut& laid, int id) {
  const Node& node = laid.graph.node(id);
  KernelSpec spec{node.attrs, operand_types(laid.graph, node), node.outputs, {}, {}};
  for (const Ref ref : node.inputs) {
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
    const Node& node = graph.node(id);
    const Cost one = node.op->cost(operand_types(graph, node), node.outputs, node.attrs);
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

/// A matrix product whose result is spread over several buckets, as one step for each: the rows of one bucket at a time.
std::vector<PlanStep> cut_rows(const PlanStep& whole, const LaidOut& laid, int id, const FlatLayout& flat) {
  const Node& node = laid.graph.node(id);
  const KernelSpec spec = spec_of(laid, id);
  const bool transposed = node.attrs.integer("transpose_a") != 0;
  const std::int64_t rows = spec.out[0].shape[0], columns = spec.out[0].shape[1], summed = spec.in[0].shape[transposed ? 0 : 1];
  const auto begin = static_cast<std::int64_t>(whole.out[0].at);
  std::vector<PlanStep> parts;
  for (int b = flat.bucket_of(begin); b < static_cast<int>(flat.buckets.size()); ++b) {
    for (const FlatRange& range : flat.buckets[static_cast<std::size_t>(b)]) {
      if (range.begin < begin || range.begin >= begin + rows * columns) {
        continue;
      }
      const std::int64_t first = (range.begin - begin) / columns, count = (range.end - range.begin) / columns;
      KernelSpec some = spec;
      some.in[0].shape = transposed ? Shape{summed, count} : Shape{count, summed};
      some.out[0].shape = {count, columns};
      some.attrs.set(kLeadingA, transposed ? rows : summed);
      PlanStep& part = parts.emplace_back(whole);
      part.make = [factory = entry(*node.op).cpu, some] { return factory(some); };
      part.in[0].skip = static_cast<std::size_t>(first * (transposed ? 1 : summed)) * sizeof(float);
      part.out = {{Place::Zone::gradients, static_cast<std::size_t>(range.begin), b}};
      part.out_types = {some.out[0]};
      part.cost.flops *= static_cast<double>(count) / static_cast<double>(rows);
      part.cost.bytes *= static_cast<double>(count) / static_cast<double>(rows);
    }
  }
  return parts;
}

/// The buckets of the parameters that a step reads, in ascending order.
std::vector<int> buckets_read(const PlanStep& step, const FlatLayout& flat) {
  std::set<int> buckets;
  for (const Place& place : step.in) {
    if (place.zone == Place::Zone::parameters) {
      const FlatTensor& tensor = *std::ranges::find(flat.tensors, static_cast<std::int64_t>(place.at), &FlatTensor::offset);
      for (int b = flat.bucket_of(tensor.offset); b <= flat.bucket_of(tensor.offset + tensor.count - 1); ++b) {
        buckets.insert(b);
      }
    }
  }
  return {buckets.begin(), buckets.end()};
}

/// Which buckets each step needs and opens, and how many are complete after it: from then on others may sum and update them.
void mark_buckets(std::vector<PlanStep>& steps, const FlatLayout& flat, int& ring) {
  std::vector<std::size_t> done_at(flat.buckets.size(), 0);
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (const Place& place : steps[s].out) {
      if (place.zone == Place::Zone::gradients) {
        steps[s].opens = std::max(steps[s].opens, place.bucket);
        done_at[static_cast<std::size_t>(place.bucket)] = s;
      }
    }
    steps[s].needs = buckets_read(steps[s], flat);
    for (const int b : steps[s].needs) {
      done_at[static_cast<std::size_t>(b)] = s;
    }
  }
  std::size_t latest = 0;
  for (int b = 0; b < std::ssize(done_at); ++b) {
    latest = std::max(latest, done_at[static_cast<std::size_t>(b)]);
    steps[latest].buckets_done = b + 1;
  }
  int done = 0;
  for (const PlanStep& step : steps) {
    ring = std::max(ring, step.opens + 1 - done);
    done = std::max(done, step.buckets_done);
  }
}

}  // namespace

Plan compile(const Graph& lane_graph, const FlatLayout& flat) {
  const LaidOut laid = choose_layouts(fuse_epilogues(lane_graph));
  const std::vector<Group> groups = fuse_elementwise(laid);
  const std::vector<GroupCall> calls = describe_calls(laid, groups);
  Plan plan;
  plan.lane_size = lane_graph.batch();
  const Memory memory = assign_memory(laid, calls, flat, plan);
  plan.arena_bytes = memory.arena_bytes;
  plan.tensor_bytes = memory.tensor_bytes;
  std::set<Ref> outputs;
  for (const auto& [name, ref] : laid.graph.outputs()) {
    if (const Place place = memory.places.at(ref); place.zone != Place::Zone::gradients) {
      plan.outputs.push_back({name, laid.graph.type(ref), place});
      outputs.insert(root(laid.graph, ref));
    }
  }
  std::vector<PlanStep> steps;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    PlanStep step = make_step(laid, groups[i], calls[i], memory);
    const Place& to = step.out[0];
    const auto end = static_cast<std::int64_t>(to.at) + step.out_types[0].elements();
    if (to.zone == Place::Zone::gradients && flat.bucket_of(end - 1) > to.bucket) {
      std::ranges::move(cut_rows(step, laid, groups[i][0], flat), std::back_inserter(steps));
    } else {
      steps.push_back(std::move(step));
    }
    if (std::ranges::any_of(calls[i].writes, [&](Ref ref) { return outputs.contains(ref); })) {
      plan.outputs_at = steps.size() - 1;
    }
  }
  mark_buckets(steps, flat, plan.ring);
  for (std::size_t s = 0; s <= plan.outputs_at && s < steps.size(); ++s) {
    plan.ring = std::max(plan.ring, steps[s].opens + 1);  // nothing is updated, and no buffer free again, before the loss is known
  }
  plan.segments.push_back({std::move(steps)});
  return plan;
}

}  // namespace lockstep
