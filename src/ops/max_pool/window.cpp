#include "ops/max_pool/window.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

Windows completed(Windows s, const TensorType& type, const Attrs& attrs, std::string_view op) {
  s.window = attrs.integer("window");
  s.stride = attrs.integer("stride");
  s.padding = attrs.integer("padding");
  if (s.window < 1 || s.stride < 1 || s.padding < 0 || 2 * s.padding > s.window) {
    throw ShapeError(
        fmt::format("{}: window {} and stride {} must be at least 1, padding {} at most half a window", op, s.window, s.stride, s.padding));
  }
  if (s.h + 2 * s.padding < s.window || s.w + 2 * s.padding < s.window) {
    throw ShapeError(fmt::format("{}: a window of {} does not fit into {} with padding {}", op, s.window, type.str(), s.padding));
  }
  s.oh = (s.h + 2 * s.padding - s.window) / s.stride + 1;
  s.ow = (s.w + 2 * s.padding - s.window) / s.stride + 1;
  return s;
}

}  // namespace

Windows windows_on(const TensorType& x, const Attrs& attrs, std::string_view op) {
  if (x.shape.rank() != 4 || x.dtype != DType::f32) {
    throw ShapeError(fmt::format("{}: x must be f32 [N, C, H, W], not {}", op, x.str()));
  }
  return completed({.n = x.shape[0], .c = x.shape[1], .h = x.shape[2], .w = x.shape[3]}, x, attrs, op);
}

Windows windows_under(const TensorType& g, const Attrs& attrs, std::string_view op) {
  if (g.shape.rank() != 4 || g.dtype != DType::f32) {
    throw ShapeError(fmt::format("{}: the gradient must be f32 [N, C, H, W], not {}", op, g.str()));
  }
  const Windows s = completed({.n = g.shape[0], .c = g.shape[1], .h = attrs.integer("height"), .w = attrs.integer("width")}, g, attrs, op);
  if (g.shape != s.y()) {
    throw ShapeError(fmt::format("{}: the gradient is {}, but the windows on {} give {}", op, g.str(), s.x().str(), s.y().str()));
  }
  return s;
}

Attrs backward_attrs(const Attrs& attrs, const Shape& x) { return Attrs(attrs).set("height", x[2]).set("width", x[3]); }

}  // namespace lockstep
