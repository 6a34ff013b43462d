#include <algorithm>

#include "ops/matmul/activation.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/vectors.hpp"

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
std::unique_ptr<CpuKernel> by_product(const MatmulSizes& s, bool relu) {
  return make_kernel([s, relu](const CpuCall& call) {
    float* y = call.output(0);
    const bool biased = call.in.size() > 2;
    for (std::int64_t i = 0; biased && i < s.m; ++i) {
      std::copy_n(call.input(2), s.n, y + i * s.n);
    }
    onednn::product(s.transpose_a, s.transpose_b, s.m, s.n, s.k, call.input(0), call.input(1), biased ? 1.0f : 0.0f, y);
    for (std::int64_t i = 0; relu && i < s.m * s.n; ++i) {
      y[i] = y[i] < 0.0f ? 0.0f : y[i];
    }
  });
}

/// x·Wᵀ as (W·xᵀ)ᵀ: W, by far the largest of the three, is read where it lies instead of being packed.
class TransposedKernel final : public CpuKernel {
 public:
  TransposedKernel(const MatmulSizes& sizes, bool relu)
      : s_(sizes),
        relu_(relu),
        x_bytes_(static_cast<std::size_t>((s_.k * s_.m + 15) / 16 * 16) * sizeof(float)),
        y_bytes_(static_cast<std::size_t>((s_.n * s_.m + 15) / 16 * 16) * sizeof(float)),
        product_(description(s_), {{DNNL_ARG_SRC, matrices(false, 1, s_.n, s_.k, false)},
                                   {DNNL_ARG_WEIGHTS, matrices(false, 1, s_.k, s_.m, false)},
                                   {DNNL_ARG_DST, matrices(false, 1, s_.n, s_.m, false), true}}) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return x_bytes_ + y_bytes_ + product_.scratch_bytes(); }

  void run(const CpuCall& call) override {
    auto* x = reinterpret_cast<float*>(call.scratch);
    auto* y = reinterpret_cast<float*>(call.scratch + x_bytes_);
    transpose(call.input(0), s_.m, s_.k, x, [](auto&, std::int64_t) {});
    void* const operands[] = {const_cast<float*>(call.input(1)), x, y};  // oneDNN's memory objects know no const
    product_.run(operands, call.scratch + x_bytes_ + y_bytes_);
    transpose(y, s_.n, s_.m, call.output(0), [this, bias = call.in.size() > 2 ? call.input(2) : nullptr](auto& v, std::int64_t at) {
      std::remove_reference_t<decltype(v)> b{}, zero{};
      if (bias != nullptr) {
        load(b, bias + at);
        v += b;
      }
      v = relu_ ? (v < zero ? zero : v) : v;
    });
  }

 private:
  static dnnl::matmul::primitive_desc description(const MatmulSizes& s) {
    return onednn::describe<dnnl::matmul>(onednn::attributes(), matrices(false, 1, s.n, s.k, false), matrices(false, 1, s.k, s.m, false),
                                          matrices(false, 1, s.n, s.m, false));
  }

  MatmulSizes s_;
  bool relu_;
  std::size_t x_bytes_, y_bytes_;
  onednn::Primitive product_;
};

/// Measured on a Zen 5 core, oneDNN 2.6.3, ms by primitive and by product():
///   y = x·Wᵀ   4 rows  1024→1024 .130 .098, 9216→128 .138 .103, 512→512 .029 .019;   8 rows .169 .169, .170 .158;   16 rows .240 .468
///   dx = g·W   4 rows  9216←128  .072 .092, 1024←1024 .113 .066, 4096←4096 6.5 3.1;   8 rows 1024←1024 .155 .077, 9216←128 .128 .091;
///             16 rows .219 .152, .200 .178;   32 rows .365 .300, .363 .340;   64 rows .684 .707
///   dW = gᵀ·x 32 rows 1024·1024 .283 .287, 784·1024 .219 .254
/// So by rows, form and the summed length alone.
bool few_rows(const MatmulSizes& s) {
  if (s.transpose_a || s.batch > 1) {
    return false;
  }
  return s.transpose_b ? s.m <= 8 : s.m >= (s.k < 1024 ? 8 : 4) && s.m <= 32;
}

/// ms by primitive and by TransposedKernel:
///   16 rows  784→1024 .163 .120, 1024→1024 .225 .267, 4096→4096 4.4 3.0, 9216→128 .236 .211
///   20 rows .179 .242, .267 .541, 5.6 5.9, .275 .446;   32 rows .267 .228, .372 .293, 7.2 5.0, .411 .389
///   48 rows .357 .337, .479 .439, 9.1 7.2, .556 .580;   64 rows .462 .461, .618 .584, 11.4 10.0, .695 .764
/// Whole vectors of rows only. With one vector the product goes through 24 rows of W at once, which fall into one set of the first cache
/// when they are a multiple of 4 KiB long.
bool better_transposed(const MatmulSizes& s) {
  return s.transpose_b && !s.transpose_a && s.batch == 1 && s.n >= 128 && (s.m == 32 || s.m == 48 || (s.m == 16 && s.k % 1024 != 0));
}

}  // namespace

std::unique_ptr<CpuKernel> matmul_cpu(const KernelSpec& spec) {
  MatmulSizes s = matmul_sizes(spec.in, spec.attrs);
  if (s.shared_b && !s.transpose_a) {  // all rows in one product
    s.m *= s.batch;
    s.batch = 1;
  }
  const std::string activation = spec.attrs.text_or(kActivation, "");
  if (!spec.attrs.has(kLeadingA) && (activation.empty() || activation == "relu")) {
    if (few_rows(s)) {
      return by_product(s, activation == "relu");
    }
    if (better_transposed(s)) {
      return std::make_unique<TransposedKernel>(s, activation == "relu");
    }
  }
  return by_primitive(s, spec);
}

}  // namespace lockstep
