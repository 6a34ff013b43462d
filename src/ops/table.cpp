#include "ops/table.hpp"

#include <fmt/format.h>

#include <vector>

#include "ops/add/add.hpp"
#include "ops/average_pool/average_pool.hpp"
#include "ops/batch_norm/batch_norm.hpp"
#include "ops/broadcast_to/broadcast_to.hpp"
#include "ops/concat/concat.hpp"
#include "ops/conv2d/conv2d.hpp"
#include "ops/correct/correct.hpp"
#include "ops/div/div.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/elu/elu.hpp"
#include "ops/embedding/embedding.hpp"
#include "ops/equal/equal.hpp"
#include "ops/erf/erf.hpp"
#include "ops/exp/exp.hpp"
#include "ops/gather/gather.hpp"
#include "ops/gather_backward/gather_backward.hpp"
#include "ops/gelu/gelu.hpp"
#include "ops/layer_norm/layer_norm.hpp"
#include "ops/log/log.hpp"
#include "ops/log_softmax/log_softmax.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/max/max.hpp"
#include "ops/max_pool/max_pool.hpp"
#include "ops/maximum/maximum.hpp"
#include "ops/mean/mean.hpp"
#include "ops/mean_squared_error/mean_squared_error.hpp"
#include "ops/mul/mul.hpp"
#include "ops/neg/neg.hpp"
#include "ops/one_hot/one_hot.hpp"
#include "ops/pad/pad.hpp"
#include "ops/random_normal/random_normal.hpp"
#include "ops/random_uniform/random_uniform.hpp"
#include "ops/relu/relu.hpp"
#include "ops/reorder/reorder.hpp"
#include "ops/reshape/reshape.hpp"
#include "ops/sigmoid/sigmoid.hpp"
#include "ops/silu/silu.hpp"
#include "ops/size/size.hpp"
#include "ops/slice/slice.hpp"
#include "ops/softmax/softmax.hpp"
#include "ops/softmax_cross_entropy/softmax_cross_entropy.hpp"
#include "ops/softmax_cross_entropy_backward/softmax_cross_entropy_backward.hpp"
#include "ops/softplus/softplus.hpp"
#include "ops/sqrt/sqrt.hpp"
#include "ops/square/square.hpp"
#include "ops/step/step.hpp"
#include "ops/sub/sub.hpp"
#include "ops/sum/sum.hpp"
#include "ops/tanh/tanh.hpp"
#include "ops/transpose/transpose.hpp"

namespace lockstep {

std::span<const OpEntry> op_table() {
  // op, reference, cpu kernel or tile function, layouts
  static const std::vector<OpEntry> table{
      {&add_op(), add_reference, nullptr, add_tile},
      {&average_pool_op(), average_pool_reference, average_pool_cpu, nullptr, average_pool_layouts},
      {&average_pool_backward_op(), average_pool_backward_reference, average_pool_backward_cpu, nullptr, average_pool_layouts},
      {&batch_norm_op(), batch_norm_reference, batch_norm_cpu, nullptr, batch_norm_layouts},
      {&batch_norm_backward_op(), batch_norm_backward_reference, batch_norm_backward_cpu, nullptr, batch_norm_layouts},
      {&broadcast_to_op(), broadcast_to_reference, nullptr, broadcast_to_tile},
      {&concat_op(), concat_reference, concat_cpu},
      {&conv2d_op(), conv2d_reference, conv2d_cpu, nullptr, conv2d_layouts},
      {&conv2d_backward_data_op(), conv2d_backward_data_reference, conv2d_backward_data_cpu, nullptr, conv2d_backward_data_layouts},
      {&conv2d_backward_weights_op(), conv2d_backward_weights_reference, conv2d_backward_weights_cpu, nullptr,
       conv2d_backward_weights_layouts},
      {&correct_op(), correct_reference, correct_cpu},
      {&div_op(), div_reference, nullptr, div_tile},
      {&dropout_op(), dropout_reference, dropout_cpu},
      {&elu_op(), elu_reference, nullptr, elu_tile},
      {&embedding_op(), embedding_reference, embedding_cpu},
      {&equal_op(), equal_reference, nullptr, equal_tile},
      {&erf_op(), erf_reference, nullptr, erf_tile},
      {&exp_op(), exp_reference, nullptr, exp_tile},
      {&gather_op(), gather_reference, gather_cpu},
      {&gather_backward_op(), gather_backward_reference, gather_backward_cpu},
      {&gelu_op(), gelu_reference, nullptr, gelu_tile},
      {&layer_norm_op(), layer_norm_reference, layer_norm_cpu},
      {&layer_norm_backward_op(), layer_norm_backward_reference, layer_norm_backward_cpu},
      {&log_op(), log_reference, nullptr, log_tile},
      {&log_softmax_op(), log_softmax_reference, log_softmax_cpu},
      {&matmul_op(), matmul_reference, matmul_cpu},
      {&max_op(), max_reference, max_cpu},
      {&max_pool_op(), max_pool_reference, max_pool_cpu, nullptr, max_pool_layouts},
      {&max_pool_backward_op(), max_pool_backward_reference, max_pool_backward_cpu, nullptr, max_pool_layouts},
      {&max_pool_pick_op(), max_pool_pick_reference, max_pool_pick_cpu, nullptr, max_pool_layouts},
      {&maximum_op(), maximum_reference, nullptr, maximum_tile},
      {&mean_op(), mean_reference, mean_cpu},
      {&mean_squared_error_op(), mean_squared_error_reference, mean_squared_error_cpu},
      {&mul_op(), mul_reference, nullptr, mul_tile},
      {&neg_op(), neg_reference, nullptr, neg_tile},
      {&one_hot_op(), one_hot_reference, one_hot_cpu},
      {&pad_op(), pad_reference, pad_cpu},
      {&random_normal_op(), random_normal_reference, random_normal_cpu},
      {&random_uniform_op(), random_uniform_reference, random_uniform_cpu},
      {&relu_op(), relu_reference, nullptr, relu_tile},
      {&reorder_op(), reorder_reference, reorder_cpu},
      {&reshape_op(), reshape_reference, reshape_cpu},
      {&sigmoid_op(), sigmoid_reference, nullptr, sigmoid_tile},
      {&silu_op(), silu_reference, nullptr, silu_tile},
      {&size_op(), size_reference, size_cpu},
      {&slice_op(), slice_reference, slice_cpu},
      {&softmax_op(), softmax_reference, softmax_cpu},
      {&softmax_cross_entropy_op(), softmax_cross_entropy_reference, softmax_cross_entropy_cpu},
      {&softmax_cross_entropy_backward_op(), softmax_cross_entropy_backward_reference, softmax_cross_entropy_backward_cpu},
      {&softplus_op(), softplus_reference, nullptr, softplus_tile},
      {&sqrt_op(), sqrt_reference, nullptr, sqrt_tile},
      {&square_op(), square_reference, nullptr, square_tile},
      {&step_op(), step_reference, nullptr, step_tile},
      {&sub_op(), sub_reference, nullptr, sub_tile},
      {&sum_op(), sum_reference, sum_cpu},
      {&tanh_op(), tanh_reference, nullptr, tanh_tile},
      {&transpose_op(), transpose_reference, transpose_cpu},
  };
  return table;
}

const OpEntry* find_op(std::string_view name) {
  for (const OpEntry& line : op_table()) {
    if (line.op->name() == name) {
      return &line;
    }
  }
  return nullptr;
}

const OpEntry& entry(const Op& op) {
  for (const OpEntry& line : op_table()) {
    if (line.op == &op) {
      return line;
    }
  }
  throw UsageError(fmt::format("the op '{}' has no kernels: it is not in the table of ops", op.name()));
}

const Op* op_named(std::string_view name) {
  const OpEntry* line = find_op(name);
  return line == nullptr ? nullptr : line->op;
}

ReferenceKernel reference_kernel(const Op& op) {
  return entry(op).reference;
}

}  // namespace lockstep
