#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/define.hpp"

/// transpose: axes in another order.  x [...] → y, of any type; axis i of y is axis permutation[i] of x.
/// Attribute: permutation.
/// Gradient: g with the axes back in their order.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  const std::vector<std::int64_t>& permutation = attrs.list("permutation");
  std::vector<std::int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> axes(in[0].shape.dims().size());
  std::iota(axes.begin(), axes.end(), 0);
  if (sorted != axes) {
    throw ShapeError(fmt::format("transpose: {} is no order of the axes of {}", Shape(permutation).str(), in[0].shape.str()));
  }
  std::vector<std::int64_t> dims;
  for (const std::int64_t axis : permutation) {
    dims.push_back(in[0].shape[static_cast<int>(axis)]);
  }
  return {{Shape(std::move(dims)), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const std::vector<std::int64_t>& permutation = call.attrs.list("permutation");
  std::vector<std::int64_t> inverse(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    inverse[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
  }
  return {transpose(call.grads[0], inverse)};
}

void reference(const ReferenceCall& call) {
  const std::vector<std::size_t> in_strides = strides_of(call.in_types[0].shape);
  std::vector<std::size_t> lengths, strides;
  for (const std::int64_t axis : call.attrs.list("permutation")) {
    lengths.push_back(static_cast<std::size_t>(call.in_types[0].shape[static_cast<int>(axis)]));
    strides.push_back(in_strides[static_cast<std::size_t>(axis)]);
  }
  StridedWalk place(std::move(lengths), std::move(strides));
  for (double& y : call.out[0]) {
    y = call.in[0][place.index()];
    place.next();
  }
}

/// The axes of the result, outermost first: length, distance of neighbours in x and in y. Axes of length 1 are left out, and axes that
/// are neighbours in both are one.
struct Axis {
  std::size_t length, from, to;
};

std::vector<Axis> merged_axes(const KernelSpec& spec) {
  const std::vector<std::size_t> from = strides_of(spec.in[0].shape), to = strides_of(spec.out[0].shape);
  const std::vector<std::int64_t>& permutation = spec.attrs.list("permutation");
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const Axis axis{static_cast<std::size_t>(spec.out[0].shape.dims()[i]), from[static_cast<std::size_t>(permutation[i])], to[i]};
    if (axis.length == 1) {
      continue;
    }
    if (!axes.empty() && axes.back().from == axis.from * axis.length) {
      axes.back() = {axes.back().length * axis.length, axis.from, axis.to};
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

StridedWalk walk(const std::vector<Axis>& axes, std::size_t Axis::*stride) {
  std::vector<std::size_t> lengths, strides;
  for (const Axis& axis : axes) {
    lengths.push_back(axis.length);
    strides.push_back(axis.*stride);
  }
  return {std::move(lengths), std::move(strides)};
}

/// y[j·a.to + i] = x[i·b.from + j]: in blocks, so that the lines read and written stay in the cache.
template <class T>
void transpose_matrix(T* y, const T* x, const Axis& a, const Axis& b) {
  constexpr std::size_t kBlock = 16;
  for (std::size_t i0 = 0; i0 < b.length; i0 += kBlock) {
    const std::size_t i1 = std::min(i0 + kBlock, b.length);
    for (std::size_t j0 = 0; j0 < a.length; j0 += kBlock) {
      const std::size_t j1 = std::min(j0 + kBlock, a.length);
      for (std::size_t j = j0; j < j1; ++j) {
        for (std::size_t i = i0; i < i1; ++i) {
          y[j * a.to + i] = x[i * b.from + j];
        }
      }
    }
  }
}

template <class T>
std::unique_ptr<CpuKernel> kernel_for(const KernelSpec& spec) {
  std::vector<Axis> axes = merged_axes(spec);
  if (axes.empty()) {
    axes.push_back({1, 1, 1});
  }
  const Axis last = axes.back();
  axes.pop_back();
  if (last.from == 1) {  // runs of elements stay together
    return make_kernel([from = walk(axes, &Axis::from), n = last.length](const CpuCall& call) mutable {
      T* y = call.output<T>(0);
      for (std::size_t run = from.count(); run > 0; --run, from.next(), y += n) {
        std::memcpy(y, call.input<T>(0) + from.index(), n * sizeof(T));
      }
    });
  }
  const auto inner = std::find_if(axes.begin(), axes.end(), [](const Axis& axis) { return axis.from == 1; });
  const Axis other = *inner;
  axes.erase(inner);
  return make_kernel([from = walk(axes, &Axis::from), to = walk(axes, &Axis::to), other, last](const CpuCall& call) mutable {
    for (std::size_t matrix = from.count(); matrix > 0; --matrix, from.next(), to.next()) {
      transpose_matrix(call.output<T>(0) + to.index(), call.input<T>(0) + from.index(), other, last);
    }
  });
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  switch (size_of(spec.in[0].dtype)) {
    case 1:
      return kernel_for<std::uint8_t>(spec);
    case 2:
      return kernel_for<std::uint16_t>(spec);
    default:
      return kernel_for<std::uint32_t>(spec);
  }
}

}  // namespace

constinit const DefinedOp transpose_op({.name = "transpose", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value transpose(Value x, const std::vector<std::int64_t>& permutation) {
  return x.graph->add(transpose_op, {{"permutation", permutation}}, {x});
}

}  // namespace lockstep
