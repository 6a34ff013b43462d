#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lockstep/op.hpp"

/// The functions that models are written with. Each appends to the graph of its operands and gives the first output. All tensors are
/// f32 unless a line says otherwise; ShapeError names the op and the shapes when operands do not fit. What an op means exactly, with its
/// formula, gradient and source, stands in src/ops/<op>/.
namespace lockstep {

// ---- elementwise, operands broadcast as numpy's ----
Value add(Value a, Value b);
Value sub(Value a, Value b);
Value mul(Value a, Value b);
Value div(Value a, Value b);
Value maximum(Value a, Value b);
/// 1 where a == b, else 0; no gradient flows.
Value equal(Value a, Value b);
Value neg(Value x);
Value square(Value x);
Value exp(Value x);
/// Natural logarithm.
Value log(Value x);
Value sqrt(Value x);
Value erf(Value x);
Value sigmoid(Value x);
Value tanh(Value x);
Value relu(Value x);
/// x where x > 0, else alpha·(exp(x) − 1).
Value elu(Value x, double alpha = 1);
/// log(1 + exp(x))
Value softplus(Value x);
/// x·Φ(x) with the exact normal distribution function.
Value gelu(Value x);
/// x·sigmoid(x)
Value silu(Value x);
/// 1 where x > 0, else 0; no gradient flows.
Value step(Value x);

// ---- reductions and shapes ----
/// Over the given axes (negative: from the last; empty: all); keep: reduced axes stay with length 1.
Value sum(Value x, const std::vector<std::int64_t>& axes = {}, bool keep = false);
Value mean(Value x, const std::vector<std::int64_t>& axes = {}, bool keep = false);
/// The gradient goes to all equal maxima in equal parts.
Value max(Value x, const std::vector<std::int64_t>& axes = {}, bool keep = false);
/// One -1 stands for what is left over.
Value reshape(Value x, const Shape& shape);
/// [n, ...] → [n, elements of a sample]
Value flatten(Value x);
/// Axis i of the result is axis permutation[i] of x.
Value transpose(Value x, const std::vector<std::int64_t>& permutation);
Value broadcast_to(Value x, const Shape& shape);
/// How many elements x has along these axes, f32 []; no gradient flows.
Value size(Value x, const std::vector<std::int64_t>& axes);
/// Elements begin … end−1 of an axis.
Value slice(Value x, std::int64_t axis, std::int64_t begin, std::int64_t end);
/// Zeros before and after along an axis.
Value pad(Value x, std::int64_t axis, std::int64_t before, std::int64_t after);
Value concat(const std::vector<Value>& parts, std::int64_t axis);
/// Rows of `x` along an axis picked by i32 indexes [k]; out of range throws DataError at run time.
Value gather(Value x, Value indexes, std::int64_t axis = 0);
/// indexes i32 [...], table [rows, width] → [..., width]
Value embedding(Value indexes, Value table);

// ---- products and convolutions ----
/// a [..., m, k] · b [..., k, n] (+ bias [n]) → [..., m, n]; the last two axes of an operand are swapped first where asked. Leading axes
/// must agree, or b may have rank 2 and then serves all of them.
Value matmul(Value a, Value b, bool transpose_a = false, bool transpose_b = false, Value bias = {});
/// x [N, C, H, W] ∗ weight [O, C, kh, kw] (+ bias [O]) → [N, O, H', W'], H' = (H + 2·padding − kh) / stride + 1: cross-correlation, as
/// everywhere.
Value conv2d(Value x, Value weight, Value bias = {}, std::int64_t stride = 1, std::int64_t padding = 0);
/// Scaled dot-product attention of `heads` heads. qkv [n, T, 3·C] holds each position's query, key and value, [C] each → [n, T, C].
/// causal: a position sees itself and those before it. Vaswani et al. 2017, arXiv 1706.03762.
Value attention(Value qkv, std::int64_t heads, bool causal = true);
/// x [N, C, H, W] → [N, C, H', W'], each window's greatest (the first of equals); padding counts as −∞.
Value max_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding = 0);
/// The window's mean; padding counts as zeros (PyTorch's count_include_pad).
Value average_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding = 0);

// ---- normalisation ----
struct BatchNorm {
  Value y, mean, variance;
};
/// x [N, C, ...] normalised over all axes but C with the statistics of these N samples: y = (x − mean) / sqrt(variance + eps) · gain +
/// bias. mean and variance [C] (biased variance). Ioffe and Szegedy 2015, arXiv 1502.03167.
BatchNorm batch_norm(Value x, Value gain, Value bias, double eps = 1e-5);
/// Layer normalisation over the last axis: y = (x − mean) / sqrt(var + eps) · gain + bias. x [..., C], gain [C], bias [C].
/// Ba, Kiros, Hinton 2016, arXiv 1607.06450.
Value layer_norm(Value x, Value gain, Value bias, double eps = 1e-5);

// ---- losses ----
/// Over the last axis.
Value softmax(Value x);
Value log_softmax(Value x);
/// logits [n, ..., classes], labels i32 [n, ...] → −log softmax(logits)[label], one number a label [n, ...].
Value softmax_cross_entropy(Value logits, Value labels);
/// y and target [n, ...] → mean over all but the first axis of (y − target)², [n].
Value mean_squared_error(Value y, Value target);
/// logits [n, ..., classes], labels i32 [n, ...] → 1 where the greatest logit (the first of equals) is the label's, else 0 [n, ...]; no
/// gradient flows.
Value correct(Value logits, Value labels);

// ---- random: keyed by (seed, name, step, place in the batch); nothing to save ----
/// Each element is zero with probability `rate`, else x / (1 − rate). `name` keys the mask. Srivastava et al. 2014.
Value dropout(Value x, double rate, const std::string& name);
/// Images x [n, C, H, W], each moved by up to `crop` pixels along both axes, zeros moving in, and mirrored left to right with probability ½
/// where `flip`. `name` keys the draws.
Value augment(Value x, std::int64_t crop, bool flip, const std::string& name);
/// Uniform in [0, 1) / normal with mean 0 and deviation 1. The first axis of `shape` is the place in the batch (kBatch).
Value random_uniform(Graph& graph, const Shape& shape, const std::string& name);
Value random_normal(Graph& graph, const Shape& shape, const std::string& name);

}  // namespace lockstep
