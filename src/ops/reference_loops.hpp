#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "lockstep/kernel.hpp"
#include "ops/shapes.hpp"

/// Loops that the reference kernels of several ops share.
namespace lockstep {

/// Reference kernel of an elementwise op of one operand: f from double to double.
template <class F>
void reference_unary(const ReferenceCall& call, F f) {
  for (std::size_t i = 0; i < call.out[0].size(); ++i) {
    call.out[0][i] = f(call.in[0][i]);
  }
}

/// The same of two operands, broadcast.
template <class F>
void reference_binary(const ReferenceCall& call, F f) {
  StridedWalk a = broadcast_walk(call.in_types[0].shape, call.out_types[0].shape);
  StridedWalk b = broadcast_walk(call.in_types[1].shape, call.out_types[0].shape);
  for (double& y : call.out[0]) {
    y = f(call.in[0][a.index()], call.in[1][b.index()]);
    a.next();
    b.next();
  }
}

/// Of an op from rows to rows, which gives one row of n numbers by `kRow(y, x, n)`.
template <auto kRow>
void reference_rows(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t at = 0; at < call.in[0].size(); at += rows.length) {
    kRow(call.out[0].data() + at, call.in[0].data() + at, rows.length);
  }
}

/// The greatest number of a row and Σ exp(x − max).
struct RowSum {
  double max, total;
};
inline RowSum reference_exp_sum(const double* x, std::size_t n) {
  RowSum row{*std::max_element(x, x + n), 0};
  for (std::size_t i = 0; i < n; ++i) {
    row.total += std::exp(x[i] - row.max);
  }
  return row;
}

}  // namespace lockstep
