#pragma once

#include <algorithm>
#include <type_traits>

#include "ops/define.hpp"

/// What the pooling ops share: windows on the last two axes of x [N, C, H, W], and the memory of rank-4 tensors in any layout.
namespace lockstep {

/// Windows of `window`×`window` at every `stride`, with `padding` on all four sides; H' = (H + 2·padding − window) / stride + 1.
struct Windows {
  std::int64_t n = 0, c = 0, h = 0, w = 0, oh = 0, ow = 0, window = 0, stride = 0, padding = 0;

  [[nodiscard]] Shape x() const { return {n, c, h, w}; }
  [[nodiscard]] Shape y() const { return {n, c, oh, ow}; }
};

/// The windows of a forward op on x. Throws ShapeError naming `op` when x is not f32 [N, C, H, W], when padding is more than half a window
/// (a window might lie in the padding alone) or x too small.
[[nodiscard]] Windows windows_on(const TensorType& x, const Attrs& attrs, std::string_view op);
/// The windows of a backward op from g [N, C, H', W'] and the attributes height and width. Throws ShapeError when g does not fit.
[[nodiscard]] Windows windows_under(const TensorType& g, const Attrs& attrs, std::string_view op);
/// The attributes of a backward op of a node with `attrs` on x.
[[nodiscard]] Attrs backward_attrs(const Attrs& attrs, const Shape& x);

/// One window in memory. `x` is where its row 0, column 0, lane 0 would lie (before the tensor, where that is padding); rows top … bottom−1
/// and columns left … right−1 of the window lie inside x, and there is at least one.
struct WindowPlace {
  std::int64_t y = 0, x = 0, top = 0, bottom = 0, left = 0, right = 0;
};

/// What the kernels share. Own loops: the lanes of a channels_last tensor are a vector. oneDNN's pooling writes its index in its own
/// format, which the reference could not check. In both layouts a tensor [N, C, H, W] lies in memory as [planes, H, W, lanes]: plain has
/// one lane, channels_last C.
struct Pooling : Windows {
  std::int64_t planes, lanes;

  Pooling(const Windows& windows, Layout layout) : Windows(windows), planes(n * c), lanes(1) {
    if (layout == Layout::channels_last) {
      planes = n;
      lanes = c;
    }
  }

  /// Calls `visit(WindowPlace)` for every window, in the order of y's memory.
  template <class Visit>
  void for_each_window(Visit visit) const {
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      for (std::int64_t i = 0; i < oh; ++i) {
        for (std::int64_t j = 0; j < ow; ++j) {
          const std::int64_t row = i * stride - padding, column = j * stride - padding;
          visit(WindowPlace{.y = ((plane * oh + i) * ow + j) * lanes,
                            .x = ((plane * h + row) * w + column) * lanes,
                            .top = std::max<std::int64_t>(0, -row),
                            .bottom = std::min(window, h - row),
                            .left = std::max<std::int64_t>(0, -column),
                            .right = std::min(window, w - column)});
        }
      }
    }
  }

  /// Calls `visit(WindowPlace, size)` for every window; `size` is a constant of the compiler's: the window's length where it is 2 or 3 and
  /// lies wholly inside x, else 0.
  template <class Visit>
  void for_each_sized_window(Visit visit) const {
    for_each_window([&](const WindowPlace& at) {
      const bool whole = at.bottom - at.top == window && at.right - at.left == window;
      if (whole && window == 2) {
        visit(at, std::integral_constant<int, 2>{});
      } else if (whole && window == 3) {
        visit(at, std::integral_constant<int, 3>{});
      } else {
        visit(at, std::integral_constant<int, 0>{});
      }
    });
  }

  /// Calls `visit(offset in x's memory, place in the window)` for the part of a window inside x; `kSize` is the constant of above.
  template <int kSize, class Visit>
  void inside(const WindowPlace& at, Visit visit) const {
    const std::int64_t top = kSize > 0 ? 0 : at.top, bottom = kSize > 0 ? kSize : at.bottom;
    const std::int64_t left = kSize > 0 ? 0 : at.left, right = kSize > 0 ? kSize : at.right;
#pragma GCC unroll 3
    for (std::int64_t p = top; p < bottom; ++p) {
#pragma GCC unroll 3
      for (std::int64_t q = left; q < right; ++q) {
        visit(at.x + (p * w + q) * lanes, static_cast<int>(p * (kSize > 0 ? kSize : window) + q));
      }
    }
  }

  /// Whether no element of x lies in two windows, so that gradients need not be added up.
  [[nodiscard]] bool apart() const { return stride >= window; }

  /// Zeros what is like x, unless windows that lie apart will write all of it.
  void clear(float* like_x) const {
    const bool covered = stride == window && oh * window >= h + padding && ow * window >= w + padding;
    if (!covered) {
      std::fill_n(like_x, x().elements(), 0.0f);
    }
  }
};

}  // namespace lockstep
