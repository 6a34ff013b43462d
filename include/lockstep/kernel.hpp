#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/op.hpp"

namespace lockstep {

/// Where in the run a step stands: all that keyed random numbers may depend on. The same for every number of workers and threads.
struct StepContext {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;       ///< counted from the start of the run
  std::uint64_t first_row = 0;  ///< place in the whole batch of this lane's first sample
};

// ---- reference: plain loops in double, the definition of every op and the oracle of the tests ----

/// One call of a reference kernel. All dtypes arrive as double (integers are exact); rows in row-major order.
struct ReferenceCall {
  const Attrs& attrs;
  std::span<const TensorType> in_types;
  std::span<const TensorType> out_types;
  std::span<const std::span<const double>> in;
  std::span<const std::span<double>> out;
  const StepContext& step;
};
using ReferenceKernel = void (*)(const ReferenceCall&);

// ---- cpu: one thread a kernel ----

/// How a tensor of rank 4 [N, C, H, W] lies in memory: plain (row-major), or channels_last, as [N, H, W, C]. Any other rank is always
/// plain.
enum class Layout : std::uint8_t { plain, channels_last };

/// What a kernel is made for: everything its code and shapes may depend on.
struct KernelSpec {
  Attrs attrs;
  std::vector<TensorType> in;
  std::vector<TensorType> out;
  std::vector<Layout> in_layouts;
  std::vector<Layout> out_layouts;
};

/// Operands of one call. Pointers are aligned to 64 bytes. Outputs are written, not added to, and do not overlap inputs unless the
/// kernel says that it may run in place.
struct CpuCall {
  std::span<const std::byte* const> in;
  std::span<std::byte* const> out;
  std::byte* scratch;
  const StepContext& step;

  template <class T = float>
  [[nodiscard]] const T* input(std::size_t i) const {
    return reinterpret_cast<const T*>(in[i]);
  }
  template <class T = float>
  [[nodiscard]] T* output(std::size_t i) const {
    return reinterpret_cast<T*>(out[i]);
  }
};

/// One op prepared for its shapes. Made once per thread and plan, so it may keep its own handles; allocates nothing in `run`.
class CpuKernel {
 public:
  CpuKernel() = default;
  CpuKernel(const CpuKernel&) = delete;
  CpuKernel& operator=(const CpuKernel&) = delete;
  virtual ~CpuKernel() = default;
  /// Bytes of scratch memory that `run` may use, aligned to 64; the contents do not survive the call.
  [[nodiscard]] virtual std::size_t scratch_bytes() const { return 0; }
  virtual void run(const CpuCall& call) = 0;
};
using CpuFactory = std::unique_ptr<CpuKernel> (*)(const KernelSpec&);

/// Which layouts an op wants, given those that its inputs have now: `spec.in_layouts` as they are, `spec.out_layouts` all plain. It
/// replaces both with what the kernel will read and write; the plan puts reorders where they differ. No rule: everything plain.
using LayoutRule = void (*)(KernelSpec& spec);

/// For elementwise ops, instead of a factory: `n` elements of a tile, all operands dense (broadcast by the caller). `out` may be the
/// same memory as an operand. n ≤ kTile.
using TileFunction = void (*)(float* out, const float* const* in, std::size_t n, const Attrs& attrs);
inline constexpr std::size_t kTile = 1024;

/// One line of the table of ops: an op and its implementations. An op is elementwise (tile) or has a factory (cpu).
struct OpEntry {
  const Op* op;
  ReferenceKernel reference;
  CpuFactory cpu = nullptr;
  TileFunction tile = nullptr;
  LayoutRule layouts = nullptr;
};

}  // namespace lockstep
