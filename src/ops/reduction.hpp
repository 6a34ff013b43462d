#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "ops/define.hpp"
#include "ops/vectors.hpp"

/// What the reductions sum, mean and max share. Attributes: axes (negative from the last; empty: all), keep (1: they stay, of length 1).
namespace lockstep {

/// The result of a reduction over x, repeated along the axes that were reduced: [shape of x].
Value spread(Value reduced, Value x, const Attrs& attrs);

/// The shape of x with length 1 along the reduced axes. Throws ShapeError naming `op`.
Shape kept_shape(const Shape& x, const Attrs& attrs, std::string_view op);

Attrs reduction_attrs(const std::vector<std::int64_t>& axes, bool keep);

/// The reference loop: y = combine(y, x) for each element of x and the element of the result where it belongs, y from `start`.
template <class Combine>
void reference_fold(const ReferenceCall& call, double start, Combine combine) {
  std::ranges::fill(call.out[0], start);
  StridedWalk place = broadcast_walk(kept_shape(call.in_types[0].shape, call.attrs, "reduction"), call.in_types[0].shape);
  for (const double x : call.in[0]) {
    double& y = call.out[0][place.index()];
    y = combine(y, x);
    place.next();
  }
}

/// How to run through x [outer..., rows, length]: neighbouring axes that are both reduced or both kept are one. When `rows_reduced`, the
/// `rows` rows are combined into one of `length` elements (length may be 1); else each row becomes one number.
struct ReductionShape {
  StridedWalk outer;  ///< over the places in the result where the blocks of rows belong
  std::size_t rows = 1, length = 1;
  bool rows_reduced = true;
};
ReductionShape reduction_shape(const KernelSpec& spec);

std::vector<TensorType> reduction_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);
/// One operation for each element of x.
void reduction_cost(Cost& cost, std::span<const TensorType> in, const Attrs& attrs);
/// Channels_last operands stay so where the result, plain, has its axes in the same order.
void reduction_layouts(KernelSpec& spec);

/// The parts of a reduction.
constexpr OpParts reduction(std::string_view name, std::vector<Value> (*gradient)(const GradientCall&), ReferenceKernel reference,
                            CpuFactory cpu) {
  return {.name = name,
          .infer = reduction_infer,
          .gradient = gradient,
          .cost = reduction_cost,
          .reference = reference,
          .cpu = cpu,
          .layouts = reduction_layouts};
}

inline Floats load_eight(const float* x) {
  Floats eight;
  load(eight, x);
  return eight;
}

struct SumFold {
  static constexpr float kStart = 0;
  template <class T>
  static T combine(T a, T b) {
    return a + b;
  }
};
struct MaxFold {
  static constexpr float kStart = -std::numeric_limits<float>::infinity();
  template <class T>
  static T combine(T a, T b) {
    return ((a > b) | (a != a)) ? a : b;
  }
};

/// One number from n, 32 combined side by side and then as a tree: the order depends on n alone.
template <class Fold>
float fold_row(const float* x, std::size_t n) {
  Floats part[4];
  for (Floats& eight : part) {
    eight = Floats{} + Fold::kStart;
  }
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    for (std::size_t p = 0; p < 4; ++p) {
      part[p] = Fold::combine(part[p], load_eight(x + i + 8 * p));
    }
  }
  for (; i + 8 <= n; i += 8) {
    part[0] = Fold::combine(part[0], load_eight(x + i));
  }
  Floats rest = Floats{} + Fold::kStart;
  std::memcpy(&rest, x + i, (n - i) * sizeof(float));
  part[1] = Fold::combine(part[1], rest);
  Floats all = Fold::combine(Fold::combine(part[0], part[1]), Fold::combine(part[2], part[3]));
  all = Fold::combine(all, __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3));
  all = Fold::combine(all, __builtin_shufflevector(all, all, 2, 3, 0, 1, 6, 7, 4, 5));
  return Fold::combine(all, __builtin_shufflevector(all, all, 1, 0, 3, 2, 5, 4, 7, 6))[0];
}

/// What the terms of `sums_of` are made of: number i of a row, or eight from i on.
struct EightAt {
  std::int64_t i;
  Floats operator()(const float* row) const { return load_eight(row + i); }
};
struct OneAt {
  std::int64_t i;
  float operator()(const float* row) const { return row[i]; }
};

/// K sums at once: Σ term(at)[k] for 0 ≤ i < n, where `at(row)` is row[i], for one i or eight; such as
/// sums_of<1>(n, [=](auto at) { return std::array{at(a) * at(b)}; }). In an order that depends on n alone: 16 sums side by side in float,
/// added as a tree, in double from 8 on.
template <std::size_t K, class Term>
std::array<double, K> sums_of(std::int64_t n, Term term) {
  Floats low[K] = {}, high[K] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const auto first = term(EightAt{i}), second = term(EightAt{i + 8});
    for (std::size_t k = 0; k < K; ++k) {
      low[k] += first[k];
      high[k] += second[k];
    }
  }
  for (int l = 0; i < n; ++i, ++l) {
    const auto one = term(OneAt{i});
    for (std::size_t k = 0; k < K; ++k) {
      low[k][l % 8] += one[k];
    }
  }
  std::array<double, K> sums;
  for (std::size_t k = 0; k < K; ++k) {
    const Floats all = low[k] + high[k];
    const auto pair = [&](int l) { return static_cast<double>(all[l]) + static_cast<double>(all[l + 4]); };
    sums[k] = (pair(0) + pair(2)) + (pair(1) + pair(3));
  }
  return sums;
}

/// Combines rows [rows, length] into out [length], four rows at a time and each 1,024 rows apart, so that a sum of very many loses little,
/// in blocks of columns that stay in the first cache.
template <class Fold>
void fold_rows(float* __restrict out, const float* __restrict x, std::size_t rows, std::size_t length) {
  constexpr std::size_t kColumns = 1024, kRows = 1024;
  std::array<float, kColumns> part;
  for (std::size_t first = 0; first < rows; first += kRows, x += kRows * length) {
    const std::size_t end = std::min(rows - first, kRows);
    for (std::size_t begin = 0; begin < length; begin += kColumns) {
      const std::size_t n = std::min(length - begin, kColumns);
      const float* row = x + begin;
      std::fill_n(part.data(), n, Fold::kStart);
      std::size_t r = 0;
      for (; r + 4 <= end; r += 4, row += 4 * length) {
        for (std::size_t j = 0; j < n; ++j) {
          const float low = Fold::combine(row[j], row[length + j]);
          const float high = Fold::combine(row[2 * length + j], row[3 * length + j]);
          part[j] = Fold::combine(part[j], Fold::combine(low, high));
        }
      }
      for (; r < end; ++r, row += length) {
        for (std::size_t j = 0; j < n; ++j) {
          part[j] = Fold::combine(part[j], row[j]);
        }
      }
      for (std::size_t j = 0; j < n; ++j) {
        out[begin + j] = Fold::combine(out[begin + j], part[j]);
      }
    }
  }
}

/// The whole reduction of x into out (`count` elements).
template <class Fold>
void fold(ReductionShape& shape, float* out, std::size_t count, const float* x) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = Fold::kStart;
  }
  for (std::size_t block = shape.outer.count(); block > 0; --block, shape.outer.next()) {
    float* const y = out + shape.outer.index();
    if (shape.rows_reduced) {
      fold_rows<Fold>(y, x, shape.rows, shape.length);
    } else {
      for (std::size_t r = 0; r < shape.rows; ++r) {
        y[r] = Fold::combine(y[r], fold_row<Fold>(x + r * shape.length, shape.length));
      }
    }
    x += shape.rows * shape.length;
  }
}

/// A kernel that reduces; `finish(out, count)` comes last.
template <class Fold, class Finish>
std::unique_ptr<CpuKernel> fold_kernel(const KernelSpec& spec, Finish finish) {
  const auto count = static_cast<std::size_t>(spec.out[0].elements());
  return make_kernel([shape = reduction_shape(spec), count, finish](const CpuCall& call) mutable {
    fold<Fold>(shape, call.output(0), count, call.input(0));
    finish(call.output(0), count);
  });
}
template <class Fold>
std::unique_ptr<CpuKernel> fold_kernel(const KernelSpec& spec) {
  return fold_kernel<Fold>(spec, [](float*, std::size_t) {});
}

}  // namespace lockstep
