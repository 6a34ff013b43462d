#pragma once

#include "ops/define.hpp"

/// Convolution (cross-correlation, as everywhere in this field) and the two ops of its gradient. All three are linear in each operand, so
/// each one's gradient is written in the other two.
///
///   conv2d                   x [N, C, H, W], weight [O, C, kh, kw], bias [O] → y [N, O, H', W'],  H' = (H + 2·padding − kh) / stride + 1
///     y[n,o,i,j] = activation(bias[o] + Σ x[n, c, i·stride + p − padding, j·stride + q − padding] · weight[o,c,p,q]), outside of x: 0
///   conv2d_backward_data     g [N, O, H', W'], weight → gradient of x; attributes height and width are x's
///   conv2d_backward_weights  x, g → gradient of weight and of bias (Σ g over N, H', W'); attributes kernel_height and kernel_width
///
/// Attributes of all: stride, padding.
namespace lockstep {

void conv2d_reference(const ReferenceCall& call);
void conv2d_backward_data_reference(const ReferenceCall& call);
void conv2d_backward_weights_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> conv2d_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> conv2d_backward_data_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> conv2d_backward_weights_cpu(const KernelSpec& spec);

/// All three ask the same question about the same shapes, so a convolution and its gradients agree and need no reorders between them.
/// Weights and their gradient are plain; the kernels reorder them.
void conv2d_layouts(KernelSpec& spec);
void conv2d_backward_data_layouts(KernelSpec& spec);
void conv2d_backward_weights_layouts(KernelSpec& spec);

/// The lengths that the three ops share.
struct ConvSizes {
  std::int64_t n = 0, c = 0, h = 0, w = 0, o = 0, kh = 0, kw = 0, oh = 0, ow = 0, stride = 1, padding = 0;

  [[nodiscard]] TensorType x() const { return {{n, c, h, w}, DType::f32}; }
  [[nodiscard]] TensorType weight() const { return {{o, c, kh, kw}, DType::f32}; }
  [[nodiscard]] TensorType bias() const { return {{o}, DType::f32}; }
  [[nodiscard]] TensorType y() const { return {{n, o, oh, ow}, DType::f32}; }
};
/// From the operands of each op. Throws ShapeError when they do not fit.
[[nodiscard]] ConvSizes conv2d_sizes(std::span<const TensorType> in, const Attrs& attrs);
[[nodiscard]] ConvSizes conv2d_backward_data_sizes(std::span<const TensorType> in, const Attrs& attrs);
[[nodiscard]] ConvSizes conv2d_backward_weights_sizes(std::span<const TensorType> in, const Attrs& attrs);

}  // namespace lockstep
