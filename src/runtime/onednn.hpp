#pragma once

#include <dnnl.hpp>

#include "lockstep/kernel.hpp"

/// oneDNN behind one door. What differs between its versions 2 and 3 stands in this file alone: version 3 has no operation descriptors and
/// other signatures of post-ops. Primitives are described by its C++ API and run by its C API, which takes a plain array of operands.
namespace lockstep::onednn {

using Desc = dnnl::memory::desc;

/// The one CPU engine.
[[nodiscard]] const dnnl::engine& engine();

/// A dense tensor as it lies in memory; rank 4 in any layout. Throws UsageError for bf16 or a rank oneDNN does not know.
[[nodiscard]] Desc desc(const TensorType& type, Layout layout = Layout::plain);
/// The same tensor in a format that oneDNN is to choose.
[[nodiscard]] Desc any(const TensorType& type);
/// The tensor in memory order given by strides, one an axis.
[[nodiscard]] Desc strided(const dnnl::memory::dims& dims, const dnnl::memory::dims& strides, DType dtype = DType::f32);

/// While alive, oneDNN makes and runs primitives for one thread on this thread, whatever OMP_NUM_THREADS says: what it computes, and with
/// it the bits, would follow the number of threads.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Attributes with which all primitives are made: scratch memory comes from the caller.
[[nodiscard]] dnnl::primitive_attr attributes();

/// A primitive on `args`; a backward one also has the description of the forward one.
#if DNNL_VERSION_MAJOR >= 3
template <class P, class... Args>
[[nodiscard]] typename P::primitive_desc describe(const dnnl::primitive_attr& attr, const Args&... args) {
  const OneThread one_thread;
  return typename P::primitive_desc(engine(), args..., attr);
}
template <class P, class Forward, class... Args>
[[nodiscard]] typename P::primitive_desc describe_backward(const Forward& forward, const dnnl::primitive_attr& attr, const Args&... args) {
  return describe<P>(attr, args..., forward);
}
inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha) { ops.append_eltwise(algorithm, alpha, 0.0f); }
#else
template <class P, class... Args>
[[nodiscard]] typename P::primitive_desc describe(const dnnl::primitive_attr& attr, const Args&... args) {
  const OneThread one_thread;
  return typename P::primitive_desc(typename P::desc(args...), attr, engine());
}
template <class P, class Forward, class... Args>
[[nodiscard]] typename P::primitive_desc describe_backward(const Forward& forward, const dnnl::primitive_attr& attr, const Args&... args) {
  const OneThread one_thread;
  return typename P::primitive_desc(typename P::desc(args...), attr, engine(), forward);
}
inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha) {
  ops.append_eltwise(1.0f, algorithm, alpha, 0.0f);
}
#endif

/// True for oneDNN's plain loops, hundreds of times slower than its generated code.
[[nodiscard]] bool is_slow(const dnnl::primitive_desc_base& description);

/// One operand of a primitive: oneDNN's number for it (DNNL_ARG_...) and how it lies in the caller's memory.
struct Operand {
  int argument = 0;
  Desc mine;
  bool written = false;
};

/// A primitive ready to run on one thread. Operands whose format differs from the one that the primitive was described with are reordered
/// through scratch memory on their way in and out.
class Primitive {
 public:
  /// Requires that `description` was made with `attributes()`.
  Primitive(const dnnl::primitive_desc_base& description, const std::vector<Operand>& operands);

  [[nodiscard]] std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// `operands[i]` is the memory of operand i of the constructor (inputs are not written to), `scratch` has `scratch_bytes()`, aligned to
  /// 64 bytes. Throws std::runtime_error with oneDNN's own word for what went wrong.
  void run(std::span<void* const> operands, std::byte* scratch);

 private:
  struct Slot {
    dnnl::memory mine;        ///< in the caller's memory
    dnnl::memory theirs;      ///< in the primitive's format; empty when that is the same
    dnnl::primitive reorder;  ///< between the two
    std::size_t offset = 0;   ///< of `theirs` in the scratch memory
    bool written = false;
  };
  void reorder(const Slot& slot) const;

  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::vector<Slot> slots_;
  dnnl::memory own_scratch_;
  std::size_t own_offset_ = 0;
  std::size_t scratch_bytes_ = 0;
  std::vector<dnnl_exec_arg_t> arguments_;
};

/// A kernel that is one primitive: the operands are the inputs and then the outputs of the op, in order.
class PrimitiveKernel final : public CpuKernel {
 public:
  PrimitiveKernel(const dnnl::primitive_desc_base& description, const std::vector<Operand>& operands);
  [[nodiscard]] std::size_t scratch_bytes() const override { return primitive_.scratch_bytes(); }
  void run(const CpuCall& call) override;

 private:
  Primitive primitive_;
  std::vector<void*> pointers_;
};

/// A kernel that copies a tensor from one format to another.
[[nodiscard]] std::unique_ptr<CpuKernel> reorder(const Desc& from, const Desc& to);

/// Elements from one row of a matrix in memory to the next; 0: it is dense.
struct RowStrides {
  std::int64_t a = 0, b = 0, c = 0;
};
/// c [m, n] ← beta·c + op(a)·op(b), all row-major, beta 0 or 1: the older matrix product, quicker than the primitive for few rows.
void product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float beta,
             float* c, const RowStrides& strides = {});

}  // namespace lockstep::onednn
