#pragma once

#include "lockstep/kernel.hpp"
#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

/// What the folder of an op needs to define it.
namespace lockstep {

/// All that an op is: its meaning (see Op for what each function promises) and its implementations (see OpEntry).
struct OpParts {
  std::string_view name;
  std::vector<TensorType> (*infer)(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);
  /// Null: the op has no gradient. `no_gradient`: it has, and nothing flows.
  std::vector<Value> (*gradient)(const GradientCall& call) = nullptr;
  std::vector<Value> (*expand)(Graph& graph, std::span<const Value> in, const Attrs& attrs) = nullptr;
  double flops = 0;  ///< an element of the first output
  /// Corrects the cost that follows from `flops` and the operands' bytes.
  void (*cost)(Cost& cost, std::span<const TensorType> in, const Attrs& attrs) = nullptr;
  bool view = false;
  ReferenceKernel reference;
  CpuFactory cpu = nullptr;
  TileFunction tile = nullptr;  ///< instead of `cpu`; makes the op elementwise
  LayoutRule layouts = nullptr;
};

/// An op made of its parts, and its line of the table.
class DefinedOp final : public Op {
 public:
  constexpr explicit DefinedOp(const OpParts& parts) : entry{this, parts.reference, parts.cpu, parts.tile, parts.layouts}, parts_(parts) {}

  [[nodiscard]] std::string_view name() const override { return parts_.name; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override;
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override;
  [[nodiscard]] std::vector<Value> expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) const override;
  [[nodiscard]] Cost cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs& attrs) const override;
  [[nodiscard]] bool elementwise() const override { return parts_.tile != nullptr; }
  [[nodiscard]] bool view() const override { return parts_.view; }

  const OpEntry entry;

 private:
  OpParts parts_;
};

/// For every line of ops.def, such as matmul: matmul_op, which its folder defines, a constant, so that it is there before any code runs;
/// and the names of its kernels, where they stand in files of their own.
#define OP(name)                                    \
  extern const DefinedOp name##_op;                 \
  void name##_reference(const ReferenceCall& call); \
  std::unique_ptr<CpuKernel> name##_cpu(const KernelSpec& spec);
#include "ops/ops.def"
#undef OP

/// No gradient flows into any operand.
std::vector<Value> no_gradient(const GradientCall& call);

/// `infer` of an op whose result is like its one f32 operand.
std::vector<TensorType> same_as_operand(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);

/// The layout rule of ops on images: every operand and result of rank 4 is channels_last, the others are plain.
void images_channels_last(KernelSpec& spec);

/// A CPU kernel made of one function that needs no scratch memory; `f` keeps what it needs to know about the shapes.
template <class F>
std::unique_ptr<CpuKernel> make_kernel(F f) {
  class Kernel final : public CpuKernel {
   public:
    explicit Kernel(F run) : run_(std::move(run)) {}
    void run(const CpuCall& call) override { run_(call); }

   private:
    F run_;
  };
  return std::make_unique<Kernel>(std::move(f));
}

/// A factory of kernels of class K, made from the KernelSpec.
template <class K>
std::unique_ptr<CpuKernel> make(const KernelSpec& spec) {
  return std::make_unique<K>(spec);
}

}  // namespace lockstep
