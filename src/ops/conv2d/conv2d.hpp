#pragma once

#include "ops/define.hpp"

/// Convolution (cross-correlation, as everywhere in this field) and the two ops of its gradient. All three are linear in each operand, so
/// each one's gradient is written in the other two.
///
///   conv2d                   x [N, C, H, W], weight [O, C, kh, kw], bias [O] → y [N, O, H', W'],  H' = (H + 2·padding − kh) / stride + 1
///     y[n,o,i,j] = activation(bias[o] + Σ x[n, c, i·stride + p − padding, j·stride + q − padding] · weight[o,c,p,q]), outside of x: 0
///   conv2d_backward_data     g [N, O, H', W'], weight → gradient of x; attributes height and width are x's
///   conv2d_backward_weights  x, g → gradient of weight; attributes kernel_height and kernel_width
/// The bias's gradient is a sum of g.
///
/// Attributes of all: stride, padding.
namespace lockstep {

/// x and y are channels_last. Weights and their gradient are plain; the kernels reorder them. GFLOP/s forward, backward data, backward
/// weights of oneDNN 2.6.3 on a Zen 5 core, channels_last and the layout that oneDNN would choose, blocks of 16 channels: 16→16, 3×3 of
/// 32×32: 210 221 233, 189 225 219;  64→64, 3×3 of 8×8: 289 254 277, 244 244 226; 3→64, 7×7 of 224×224: 245 – 152, 227 – 185;  256→64, 1×1
/// of 56×56: 195 200 179, 224 230 149;  20→50, 5×5: 176 144 182, 111 111 111. With AVX2 alone (blocks of 8 there) the two are equal.
void conv2d_layouts(KernelSpec& spec);
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
