#include <array>

#include "ops/conv2d/conv2d.hpp"
#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

using onednn::Desc;
using onednn::Operand;
using Forward = dnnl::convolution_forward;
using BackwardData = dnnl::convolution_backward_data;
using BackwardWeights = dnnl::convolution_backward_weights;

constexpr auto kTraining = dnnl::prop_kind::forward_training;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

/// How a convolution's primitive sees x and y.
struct Formats {
  Desc x, y;
};

dnnl::memory::dims both(std::int64_t length) { return {length, length}; }

Forward::primitive_desc describe_forward(const ConvSizes& s, const Formats& f, const dnnl::primitive_attr& attr, bool biased) {
  const Desc bias = biased ? onednn::desc(s.bias()) : Desc();
  return onednn::describe<Forward>(attr, kTraining, kDirect, f.x, onednn::any(s.weight()), bias, f.y, both(s.stride), both(s.padding),
                                   both(s.padding));
}

template <class Backward>
typename Backward::primitive_desc describe_backward(const ConvSizes& s, const Formats& f) {
  const dnnl::primitive_attr attr = onednn::attributes();
  return onednn::describe_backward<Backward>(describe_forward(s, f, attr, false), attr, kDirect, f.x, onednn::any(s.weight()), f.y,
                                             both(s.stride), both(s.padding), both(s.padding));
}

/// An operand as it lies; one channel is described as channels_last, the same memory.
Desc format(const TensorType& type, Layout layout) { return onednn::desc(type, type.shape[1] == 1 ? Layout::channels_last : layout); }

/// Calls `make`; nothing when oneDNN has no such primitive.
template <class Make>
auto if_known(Make make) -> std::optional<decltype(make())> {
  try {
    return make();
  } catch (const dnnl::error&) {
    return std::nullopt;
  }
}

/// The first format for which `describe` gives quick code: as the operands lie; else plain for few channels (where the generated code would
/// pad 1 or 3 channels to 16, the product-based one is 3 times quicker), any, plain: the kernel then reorders operands on their way.
template <class Describe>
std::unique_ptr<CpuKernel> quickest(const ConvSizes& s, const Formats& given, bool plain_first, Describe describe,
                                    const std::vector<Operand>& operands) {
  const Formats any{onednn::any(s.x()), onednn::any(s.y())}, plain{onednn::desc(s.x()), onednn::desc(s.y())};
  const auto order = plain_first ? std::array{given, plain, any} : std::array{given, any, plain};
  for (const bool accept_slow : {false, true}) {
    for (const Formats& formats : order) {
      const auto description = if_known([&] { return describe(formats); });
      if (description && (accept_slow || !onednn::is_slow(*description))) {
        return std::make_unique<onednn::PrimitiveKernel>(*description, operands);
      }
    }
  }
  throw std::runtime_error("oneDNN has no convolution for " + s.x().str() + " and " + s.weight().str());
}

}  // namespace

std::unique_ptr<CpuKernel> conv2d_cpu(const KernelSpec& spec) {
  const ConvSizes s = conv2d_sizes(spec.in, spec.attrs);
  const Formats mine{format(s.x(), spec.in_layouts[0]), format(s.y(), spec.out_layouts[0])};
  const bool biased = spec.in.size() > 2;
  std::vector<Operand> operands{{DNNL_ARG_SRC, mine.x}, {DNNL_ARG_WEIGHTS, onednn::desc(s.weight())}};
  if (biased) {
    operands.push_back({DNNL_ARG_BIAS, onednn::desc(s.bias())});
  }
  operands.push_back({DNNL_ARG_DST, mine.y, true});
  const auto describe = [&](const Formats& f) { return describe_forward(s, f, attributes_with_activation(spec.attrs), biased); };
  return quickest(s, mine, false, describe, operands);
}

std::unique_ptr<CpuKernel> conv2d_backward_data_cpu(const KernelSpec& spec) {
  const ConvSizes s = conv2d_backward_data_sizes(spec.in, spec.attrs);
  const Formats mine{format(s.x(), spec.out_layouts[0]), format(s.y(), spec.in_layouts[0])};
  const auto describe = [&](const Formats& f) { return describe_backward<BackwardData>(s, f); };
  return quickest(s, mine, s.c <= 3, describe,
                  {{DNNL_ARG_DIFF_DST, mine.y}, {DNNL_ARG_WEIGHTS, onednn::desc(s.weight())}, {DNNL_ARG_DIFF_SRC, mine.x, true}});
}

std::unique_ptr<CpuKernel> conv2d_backward_weights_cpu(const KernelSpec& spec) {
  const ConvSizes s = conv2d_backward_weights_sizes(spec.in, spec.attrs);
  const Formats mine{format(s.x(), spec.in_layouts[0]), format(s.y(), spec.in_layouts[1])};
  const auto describe = [&](const Formats& f) { return describe_backward<BackwardWeights>(s, f); };
  return quickest(s, mine, false, describe,
                  {{DNNL_ARG_SRC, mine.x}, {DNNL_ARG_DIFF_DST, mine.y}, {DNNL_ARG_DIFF_WEIGHTS, onednn::desc(s.weight()), true}});
}

void conv2d_layouts(KernelSpec& spec) {  // of conv2d_backward_data too
  images_channels_last(spec);
  spec.in_layouts[1] = Layout::plain;
}

void conv2d_backward_weights_layouts(KernelSpec& spec) {
  images_channels_last(spec);
  spec.out_layouts[0] = Layout::plain;
}

}  // namespace lockstep
