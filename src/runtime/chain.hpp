#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

/// A chain of elementwise ops over one shape, run tile by tile: every intermediate result stays in the cache.
struct ChainSpec {
  /// An operand from memory. Dense: of the chain's own shape and layout. Else broadcast: for each axis of the result in memory order, its
  /// length and the operand's stride in elements (0 where it is broadcast).
  struct Operand {
    bool dense = true;
    std::vector<std::pair<std::int64_t, std::int64_t>> axes;
  };
  /// sources: below operands.size() an operand, else the result of instruction (source − operands.size()). `result`: the kernel's output
  /// that this instruction writes, or −1.
  struct Instruction {
    TileFunction tile = nullptr;
    Attrs attrs;
    std::vector<int> sources;
    int result = -1;
  };
  std::size_t elements = 0;
  std::vector<Operand> operands;
  std::vector<Instruction> instructions;

  /// True when output `result` may lie in the memory of dense operand `operand`: nothing reads that operand after it is written.
  [[nodiscard]] bool may_share(int result, int operand) const;
};

/// Axes for ChainSpec::Operand: an operand of shape `from` (plain) broadcast to `to`, which lies in `layout`.
[[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> broadcast_axes(const Shape& from, const Shape& to, Layout layout);

[[nodiscard]] std::unique_ptr<CpuKernel> make_chain(const ChainSpec& spec);

}  // namespace lockstep
