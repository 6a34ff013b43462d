#include <algorithm>
#include <optional>

#include "ops/matmul/activation.hpp"
#include "ops/matmul/matmul.hpp"
#include "runtime/onednn.hpp"

namespace lockstep {
namespace {

using onednn::Desc;

/// A matrix, or `batch` of them one after another, [rows, columns]; `swapped`: in memory it lies as [columns, rows]. `leading`: elements
/// from one row in memory to the next, if they are not dense.
Desc matrices(bool batched, std::int64_t batch, std::int64_t rows, std::int64_t columns, bool swapped, std::int64_t leading = 0) {
  const std::int64_t next = leading > 0 ? leading : swapped ? rows : columns;
  const std::int64_t by_row = swapped ? 1 : next, by_column = swapped ? next : 1;
  if (!batched) {
    return onednn::strided({rows, columns}, {by_row, by_column});
  }
  return onednn::strided({batch, rows, columns}, {rows * columns, by_row, by_column});
}

std::unique_ptr<CpuKernel> by_primitive(const MatmulSizes& s, const KernelSpec& spec) {
  const bool batched = s.batch > 1;
  const Desc a = matrices(batched, s.batch, s.m, s.k, s.transpose_a, spec.attrs.has(kLeadingA) ? spec.attrs.integer(kLeadingA) : 0);
  const Desc b = matrices(batched, s.shared_b ? 1 : s.batch, s.k, s.n, s.transpose_b);
  const Desc y = matrices(batched, s.batch, s.m, s.n, false);
  std::vector<onednn::Operand> operands{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}};
  std::optional<Desc> bias;
  if (spec.in.size() > 2) {
    bias = batched ? onednn::strided({1, 1, s.n}, {s.n, s.n, 1}) : onednn::strided({1, s.n}, {s.n, 1});
    operands.push_back({DNNL_ARG_BIAS, *bias});
  }
  operands.push_back({DNNL_ARG_DST, y, true});
  const dnnl::primitive_attr attr = attributes_with_activation(spec.attrs);
  const auto description = bias ? onednn::describe<dnnl::matmul>(attr, a, b, *bias, y) : onednn::describe<dnnl::matmul>(attr, a, b, y);
  return std::make_unique<onednn::PrimitiveKernel>(description, operands);
}

/// One product by the older routine; the bias is what y starts from.
class ProductKernel final : public CpuKernel {
 public:
  ProductKernel(const MatmulSizes& sizes, bool relu) : s_(sizes), relu_(relu) {}

  void run(const CpuCall& call) override {
    float* y = call.output(0);
    const bool biased = call.in.size() > 2;
    for (std::int64_t i = 0; biased && i < s_.m; ++i) {
      std::copy_n(call.input(2), s_.n, y + i * s_.n);
    }
    onednn::product(s_.transpose_a, s_.transpose_b, s_.m, s_.n, s_.k, call.input(0), call.input(1), biased ? 1.0f : 0.0f, y);
    for (std::int64_t i = 0; relu_ && i < s_.m * s_.n; ++i) {
      y[i] = y[i] < 0.0f ? 0.0f : y[i];
    }
  }

 private:
  MatmulSizes s_;
  bool relu_;
};

/// Few rows: the primitive's packing of b does not pay. Measured on a Zen 5 core, oneDNN 2.6.3, ms by primitive and by product():
///   y = x·Wᵀ   4 rows  1024→1024 .130 .098, 9216→128 .138 .103, 512→512 .029 .019;   8 rows .169 .169, .170 .158;   16 rows .240 .468
///   dx = g·W   4 rows  9216←128  .072 .092;   8 rows 1024←1024 .155 .077, 9216←128 .128 .091;   16 rows .219 .152, .200 .178;
///             32 rows .365 .300, .363 .340;   64 rows .684 .707
///   dW = gᵀ·x 32 rows 1024·1024 .283 .287, 784·1024 .219 .254
/// So by rows and form alone.
bool few_rows(const MatmulSizes& s) {
  if (s.transpose_a || s.batch > 1) {
    return false;
  }
  return s.transpose_b ? s.m <= 8 : s.m >= 8 && s.m <= 32;
}

}  // namespace

std::unique_ptr<CpuKernel> matmul_cpu(const KernelSpec& spec) {
  MatmulSizes s = matmul_sizes(spec.in, spec.attrs);
  if (s.shared_b && !s.transpose_a) {  // all rows in one product
    s.m *= s.batch;
    s.batch = 1;
  }
  const std::string activation = spec.attrs.text_or(kActivation, "");
  if (few_rows(s) && !spec.attrs.has(kLeadingA) && (activation.empty() || activation == "relu")) {
    return std::make_unique<ProductKernel>(s, activation == "relu");
  }
  return by_primitive(s, spec);
}

}  // namespace lockstep
