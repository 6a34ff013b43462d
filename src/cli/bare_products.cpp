#include "cli/bare_products.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

#include "cli/bench.hpp"
#include "ops/attention/attention.hpp"
#include "ops/conv2d/conv2d.hpp"
#include "ops/matmul/matmul.hpp"
#include "runtime/aligned.hpp"
#include "runtime/onednn.hpp"

namespace lockstep::cli {
namespace {

using onednn::Desc;
using Clock = std::chrono::steady_clock;
using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

/// `count` of [m, k]·[k, n], of which an op needs the fraction `share`.
struct Product {
  std::int64_t count = 1, m = 0, n = 0, k = 0;
  double share = 1;
};

/// Half of attention's are scores or their gradients [T, D]·[D, T], half sums over positions [T, T]·[T, D]; of a causal op a little over
/// half of each.
std::vector<Product> products_of(std::string_view op, const std::vector<TensorType>& in, const Attrs& attrs) {
  if (op == "matmul") {
    const MatmulSizes s = matmul_sizes(in, attrs);
    const bool one = s.shared_b && !s.transpose_a;
    return {{one ? 1 : s.batch, one ? s.batch * s.m : s.m, s.n, s.k}};
  }
  if (!op.starts_with("attention")) {
    return {};
  }
  const AttentionSizes s = attention_sizes(in[0], attrs, op);
  const double share = s.causal ? 0.5 + 0.5 / static_cast<double>(s.positions) : 1;
  const std::int64_t count = s.samples * s.heads, products = op == "attention" ? 2 : 5;
  std::vector<Product> result(static_cast<std::size_t>(products), {count, s.positions, s.width, s.positions, share});
  std::fill_n(result.begin(), products / 2, Product{count, s.positions, s.positions, s.width, share});
  return result;
}

/// The median of runs that take 20 ms together, at least five.
double median_ms(const std::function<void()>& run) {
  std::vector<double> times;
  run();
  for (double all = 0; times.size() < 5 || all < 20; all += times.back()) {
    const auto start = Clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return median(times);
}

/// A primitive on operands in its own formats; infinity where oneDNN does not know it or has slow code for it.
template <class Describe>
double primitive_ms(Describe describe, const std::vector<int>& arguments) {
  try {
    const auto description = describe();
    if (onednn::is_slow(description)) {
      return std::numeric_limits<double>::infinity();
    }
    std::vector<onednn::Operand> operands;
    std::vector<AlignedBytes> memory;
    std::vector<void*> pointers;
    for (const int argument : arguments) {
      operands.push_back({argument, description.query_md(dnnl::query::exec_arg_md, argument)});
      pointers.push_back(memory.emplace_back(operands.back().mine.get_size() + 64).data());
    }
    onednn::Primitive primitive(description, operands);
    const AlignedBytes scratch(primitive.scratch_bytes() + 64);
    return median_ms([&] { primitive.run(pointers, scratch.data()); });
  } catch (const dnnl::error&) {
    return std::numeric_limits<double>::infinity();
  }
}

double product_ms(const Product& p) {
  const auto matrices = [&](std::int64_t rows, std::int64_t columns, bool any) {
    const TensorType type{p.count > 1 ? Shape{p.count, rows, columns} : Shape{rows, columns}, DType::f32};
    return any ? onednn::any(type) : onednn::desc(type);
  };
  const auto by_primitive = [&](std::int64_t m, std::int64_t n, bool any) {
    return primitive_ms(
        [&] {
          return onednn::describe<dnnl::matmul>(onednn::attributes(), matrices(m, p.k, any), matrices(p.k, n, any), matrices(m, n, any));
        },
        {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
  };
  double best = std::min({by_primitive(p.m, p.n, true), by_primitive(p.m, p.n, false), by_primitive(p.n, p.m, true)});
  const AlignedFloats a(static_cast<std::size_t>(p.m * p.k)), b(static_cast<std::size_t>(p.k * p.n)),
      y(static_cast<std::size_t>(p.m * p.n));
  for (const bool transposed : {false, true}) {
    const double one = median_ms([&] { onednn::product(false, transposed, p.m, p.n, p.k, a.data(), b.data(), 0.0F, y.data()); });
    best = std::min(best, one * static_cast<double>(p.count));
  }
  return best * p.share;
}

double convolution_ms(std::string_view op, const ConvSizes& s) {
  const dnnl::memory::dims stride{s.stride, s.stride}, padding{s.padding, s.padding};
  const dnnl::primitive_attr attr = onednn::attributes();
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;
  double best = std::numeric_limits<double>::infinity();
  for (const bool any : {false, true}) {
    const Desc x = any ? onednn::any(s.x()) : onednn::desc(s.x(), Layout::channels_last), w = onednn::any(s.weight());
    const Desc y = any ? onednn::any(s.y()) : onednn::desc(s.y(), Layout::channels_last);
    const auto forward = [&] {
      return onednn::describe<Forward>(attr, dnnl::prop_kind::forward_training, kDirect, x, w, Desc(), y, stride, padding, padding);
    };
    double ms = 0;
    if (op == "conv2d") {
      ms = primitive_ms(forward, {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
    } else if (op == "conv2d_backward_data") {
      ms =
          primitive_ms([&] { return onednn::describe_backward<BackwardData>(forward(), attr, kDirect, x, w, y, stride, padding, padding); },
                       {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC});
    } else {
      ms = primitive_ms(
          [&] { return onednn::describe_backward<BackwardWeights>(forward(), attr, kDirect, x, w, y, stride, padding, padding); },
          {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS});
    }
    best = std::min(best, ms);
  }
  return best;
}

double node_ms(const Node& node, const std::vector<TensorType>& in) {
  const std::string_view op = node.op->name();
  if (op == "conv2d") {
    return convolution_ms(op, conv2d_sizes(in, node.attrs));
  }
  if (op == "conv2d_backward_data") {
    return convolution_ms(op, conv2d_backward_data_sizes(in, node.attrs));
  }
  if (op == "conv2d_backward_weights") {
    return convolution_ms(op, conv2d_backward_weights_sizes(in, node.attrs));
  }
  double ms = 0;
  for (const Product& product : products_of(op, in, node.attrs)) {
    ms += product_ms(product);
  }
  return ms;
}

}  // namespace

bool has_bare_products(std::string_view op) { return op.starts_with("conv2d") || op == "matmul" || op.starts_with("attention"); }

double bare_products_ms(const Graph& graph) {
  struct Known {
    const Node* node;
    std::vector<TensorType> in;
    double ms;
  };
  std::vector<Known> known;
  double all = 0;
  for (const Node& node : graph.nodes()) {
    if (leaf::is_leaf(*node.op)) {
      continue;
    }
    std::vector<TensorType> in;
    for (const Ref ref : node.inputs) {
      in.push_back(graph.type(ref));
    }
    const auto same = [&](const Known& k) { return k.node->op == node.op && k.node->attrs == node.attrs && k.in == in; };
    auto found = std::ranges::find_if(known, same);
    if (found == known.end()) {
      found = known.insert(found, {&node, in, node_ms(node, in)});
    }
    all += found->ms;
  }
  return all;
}

}  // namespace lockstep::cli
