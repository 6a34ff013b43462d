#include <algorithm>
#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/shapes.hpp"
#include "ops/transpose/transpose.hpp"

namespace lockstep {
namespace {

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
std::unique_ptr<CpuKernel> make(const KernelSpec& spec) {
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

}  // namespace

std::unique_ptr<CpuKernel> transpose_cpu(const KernelSpec& spec) {
  switch (size_of(spec.in[0].dtype)) {
    case 1:
      return make<std::uint8_t>(spec);
    case 2:
      return make<std::uint16_t>(spec);
    default:
      return make<std::uint32_t>(spec);
  }
}

}  // namespace lockstep
