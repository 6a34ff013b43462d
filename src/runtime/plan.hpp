#pragma once

#include <functional>

#include "lockstep/kernel.hpp"

namespace lockstep {

/// Where an operand of a step lies. Arena: bytes from the start of the thread's scratch zone. Flat: elements in the parameters (or, for
/// outputs, in the lane's gradient), which share one layout. The others: an index.
struct Place {
  enum class Zone : std::uint8_t { arena, parameters, gradients, input, scalar, constant } zone = Zone::arena;
  std::size_t at = 0;
  int bucket = 0;        ///< of a gradient, which lies in one bucket
  std::size_t skip = 0;  ///< bytes from there
};

/// One kernel call.
struct PlanStep {
  std::string label;  ///< "conv2d %12", for messages
  std::function<std::unique_ptr<CpuKernel>()> make;
  std::vector<Place> in, out;
  std::vector<TensorType> out_types;
  Cost cost;
  std::vector<int> needs;  ///< the buckets whose parameters it reads
  int opens = -1;          ///< the last bucket that it writes to; no step reads what another wrote there
  int buckets_done = 0;    ///< so many buckets are complete after this step, and none of their parameters will be read again
};

/// Steps that a lane runs without looking at other lanes. A plan has one, unless an op looks across lanes.
struct Segment {
  std::vector<PlanStep> steps;
};

struct NamedType {
  std::string name;
  TensorType type;
};

struct PlanOutput {
  std::string name;
  TensorType type;
  Place place;
};

/// Everything one lane does in one program, for one lane size, on one thread. Depends on the graph, the lane size and the kind of
/// processor alone. Immutable and shared by all threads.
struct Plan {
  std::int64_t lane_size = 0;
  std::vector<Segment> segments;
  std::vector<NamedType> inputs;     ///< Zone::input counts these
  std::vector<std::string> scalars;  ///< Zone::scalar counts these
  std::vector<float> constants;      ///< Zone::constant counts these
  std::vector<PlanOutput> outputs;   ///< other than gradients
  std::size_t arena_bytes = 0;       ///< the scratch zone of a thread, kernels' scratch not counted
  std::size_t carried_bytes = 0;     ///< kept per lane between segments; 0 with one segment
  std::size_t tensor_bytes = 0;      ///< the sum of all tensors, had each its own memory
  std::size_t outputs_at = 0;        ///< the step after which all outputs are there
  int ring = 1;                      ///< buckets that are open at once at most

  [[nodiscard]] Cost cost() const;
  [[nodiscard]] std::size_t steps() const;
};

}  // namespace lockstep
