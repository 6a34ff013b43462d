#include "ops/max_pool/window.hpp"
#include "ops/vectors.hpp"

/// The mean of each window, and its gradient; both linear, each the other's gradient.
///
///   average_pool           x [N, C, H, W] → y [N, C, H', W'] = Σ window / window²; padding counts as zeros (PyTorch's count_include_pad)
///   average_pool_backward  g [N, C, H', W'] → dx [N, C, H, W]: g / window² added all over its window (attributes height, width)
///
/// Attributes of both: window, stride, padding.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  return {{windows_on(in[0], attrs, op).y(), DType::f32}};
}

std::vector<Value> gradient(const GradientCall& call) {
  return {call.graph.add(average_pool_backward_op, backward_attrs(call.attrs, call.inputs[0].shape()), {call.grads[0]})};
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([p = Pooling(windows_on(spec.in[0], spec.attrs, "average_pool"), spec.in_layouts[0])](const CpuCall& call) {
    const float share = 1.0f / static_cast<float>(p.window * p.window);
    p.for_each_sized_window([&](const WindowPlace& at, auto size) {
      in_vectors(p.lanes, [&](auto run, std::int64_t lane) {
        using R = decltype(run);
        typename R::Value total[R::count] = {}, v;
        p.inside<size>(at, [&](std::int64_t from, int) {
          R::for_each(from + lane, [&](int k, std::int64_t here) {
            load(v, call.input(0) + here);
            total[k] += v;
          });
        });
        R::for_each(at.y + lane, [&](int k, std::int64_t here) { store(call.output(0) + here, total[k] * share); });
      });
    });
  });
}

std::vector<TensorType> backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  return {{windows_under(in[0], attrs, op).x(), DType::f32}};
}

std::vector<Value> backward_gradient(const GradientCall& call) {
  return {average_pool(call.grads[0], call.attrs.integer("window"), call.attrs.integer("stride"), call.attrs.integer("padding"))};
}

std::unique_ptr<CpuKernel> backward_cpu(const KernelSpec& spec) {
  return make_kernel(
      [p = Pooling(windows_under(spec.in[0], spec.attrs, "average_pool_backward"), spec.in_layouts[0])](const CpuCall& call) {
        const float share = 1.0f / static_cast<float>(p.window * p.window);
        float* const dx = call.output(0);
        p.clear(dx);
        p.for_each_sized_window([&](const WindowPlace& at, auto size) {
          in_vectors(p.lanes, [&](auto run, std::int64_t lane) {
            using R = decltype(run);
            typename R::Value g[R::count], old{};
            R::for_each(at.y + lane, [&](int k, std::int64_t from) {
              load(g[k], call.input(0) + from);
              g[k] *= share;
            });
            p.inside<size>(at, [&](std::int64_t to, int) {
              R::for_each(to + lane, [&](int k, std::int64_t here) {
                if (!p.apart()) {
                  load(old, dx + here);
                }
                store(dx + here, old + g[k]);
              });
            });
          });
        });
      });
}

}  // namespace

constinit const DefinedOp average_pool_op({.name = "average_pool",
                                           .infer = infer,
                                           .gradient = gradient,
                                           .reference = average_pool_reference,
                                           .cpu = cpu,
                                           .layouts = images_channels_last});

constinit const DefinedOp average_pool_backward_op({.name = "average_pool_backward",
                                                    .infer = backward_infer,
                                                    .gradient = backward_gradient,
                                                    .reference = average_pool_backward_reference,
                                                    .cpu = backward_cpu,
                                                    .layouts = images_channels_last});

Value average_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding) {
  return x.graph->add(average_pool_op, {{"window", window}, {"stride", stride}, {"padding", padding}}, {x});
}

}  // namespace lockstep
