#include "runtime/onednn.hpp"

#include <dnnl_debug.h>
#include <fmt/format.h>
#include <omp.h>

namespace lockstep::onednn {
namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

Type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Type::f32;
    case DType::i32:
      return Type::s32;
    case DType::u8:
      return Type::u8;
    default:
      throw UsageError(fmt::format("no CPU kernel computes with {}", name_of(dtype)));
  }
}

/// oneDNN knows no scalars; one element of rank 1 lies in memory the same.
dnnl::memory::dims dims_of(const Shape& shape) { return shape.rank() == 0 ? dnnl::memory::dims{1} : shape.dims(); }

void check(dnnl_status_t status, const char* what) {
  if (status == dnnl_out_of_memory) {
    throw std::bad_alloc();
  }
  if (status != dnnl_success) {
    throw std::runtime_error(fmt::format("oneDNN cannot {}: {}", what, dnnl_status2str(status)));
  }
}

void set_memory(const dnnl::memory& memory, void* data) { check(dnnl_memory_set_data_handle(memory.get(), data), "take an operand"); }

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

Desc desc(const TensorType& type, Layout layout) {
  if (layout == Layout::channels_last) {
    return {dims_of(type.shape), type_of(type.dtype), Tag::nhwc};
  }
  const dnnl::memory::dims dims = dims_of(type.shape);
  dnnl::memory::dims strides(dims.size(), 1);
  for (std::size_t i = dims.size() - 1; i > 0; --i) {
    strides[i - 1] = strides[i] * dims[i];
  }
  return {dims, type_of(type.dtype), strides};
}

Desc any(const TensorType& type) { return {dims_of(type.shape), type_of(type.dtype), Tag::any}; }

Desc strided(const dnnl::memory::dims& dims, const dnnl::memory::dims& strides, DType dtype) { return {dims, type_of(dtype), strides}; }

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

bool is_slow(const dnnl::primitive_desc_base& description) { return std::string_view(description.impl_info_str()).starts_with("ref"); }

Primitive::Primitive(const dnnl::primitive_desc_base& description, const std::vector<Operand>& operands) : stream_(engine()) {
  const OneThread one_thread;
  primitive_ = dnnl::primitive(description.get());
  for (const Operand& operand : operands) {
    Slot slot{dnnl::memory(operand.mine, engine(), DNNL_MEMORY_NONE), {}, {}, 0, operand.written};
    const Desc theirs = description.query_md(dnnl::query::exec_arg_md, operand.argument);
    if (theirs != operand.mine) {
      slot.theirs = dnnl::memory(theirs, engine(), DNNL_MEMORY_NONE);
      slot.offset = scratch_bytes_;
      scratch_bytes_ += aligned(theirs.get_size());
      const Desc& from = operand.written ? theirs : operand.mine;
      const Desc& to = operand.written ? operand.mine : theirs;
      slot.reorder = dnnl::reorder(dnnl::reorder::primitive_desc(engine(), from, engine(), to));
    }
    slots_.push_back(slot);
    arguments_.push_back({operand.argument, (slot.theirs ? slot.theirs : slot.mine).get()});
  }
  if (const Desc own = description.scratchpad_desc(); own.get_size() > 0) {
    own_scratch_ = dnnl::memory(own, engine(), DNNL_MEMORY_NONE);
    own_offset_ = scratch_bytes_;
    scratch_bytes_ += aligned(own.get_size());
    arguments_.push_back({DNNL_ARG_SCRATCHPAD, own_scratch_.get()});
  }
}

void Primitive::reorder(const Slot& slot) const {
  const dnnl::memory& from = slot.written ? slot.theirs : slot.mine;
  const dnnl::memory& to = slot.written ? slot.mine : slot.theirs;
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}};
  check(dnnl_primitive_execute(slot.reorder.get(), stream_.get(), 2, arguments), "reorder an operand");
}

void Primitive::run(std::span<void* const> operands, std::byte* scratch) {
  const OneThread one_thread;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    set_memory(slot.mine, operands[i]);
    if (slot.theirs) {
      set_memory(slot.theirs, scratch + slot.offset);
      if (!slot.written) {
        reorder(slot);
      }
    }
  }
  if (own_scratch_) {
    set_memory(own_scratch_, scratch + own_offset_);
  }
  check(dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()), arguments_.data()), "run a primitive");
  for (const Slot& slot : slots_) {
    if (slot.theirs && slot.written) {
      reorder(slot);
    }
  }
}

PrimitiveKernel::PrimitiveKernel(const dnnl::primitive_desc_base& description, const std::vector<Operand>& operands)
    : primitive_(description, operands), pointers_(operands.size()) {}

void PrimitiveKernel::run(const CpuCall& call) {
  for (std::size_t i = 0; i < call.in.size(); ++i) {
    pointers_[i] = const_cast<std::byte*>(call.in[i]);  // oneDNN's memory objects know no const; inputs are only read
  }
  std::copy(call.out.begin(), call.out.end(), pointers_.begin() + static_cast<std::ptrdiff_t>(call.in.size()));
  primitive_.run(pointers_, call.scratch);
}

std::unique_ptr<CpuKernel> reorder(const Desc& from, const Desc& to) {
  const OneThread one_thread;
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, attributes());
  return std::make_unique<PrimitiveKernel>(description, std::vector<Operand>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to, true}});
}

void product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float beta,
             float* c, const RowStrides& strides) {
  const OneThread one_thread;
  const std::int64_t row_a = transpose_a ? m : k, row_b = transpose_b ? k : n;
  check(dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, strides.a > 0 ? strides.a : row_a, b,
                   strides.b > 0 ? strides.b : row_b, beta, c, strides.c > 0 ? strides.c : n),
        "multiply matrices");
}

}  // namespace lockstep::onednn
