#include <array>
#include <optional>
#include <stdexcept>

#include "ops/conv2d/conv2d.hpp"
#include "ops/matmul/activation.hpp"
#include "runtime/onednn.hpp"

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

struct Layouts {
  Layout x, y;
};

dnnl::memory::dims both(std::int64_t length) { return {length, length}; }

Forward::primitive_desc describe_forward(const ConvSizes& s, const Formats& f, const dnnl::primitive_attr& attr, bool biased) {
  const Desc bias = biased ? onednn::desc(s.bias()) : Desc();
  return onednn::describe<Forward>(attr, kTraining, kDirect, f.x, onednn::any(s.weight()), bias, f.y, both(s.stride), both(s.padding),
                                   both(s.padding));
}

/// The layout that a format is, or none: a blocked format that pads the channels is none.
std::optional<Layout> layout_of(const Desc& format, const TensorType& type) {
  for (const Layout layout : {Layout::plain, Layout::channels_last, Layout::blocked8, Layout::blocked16}) {
    const std::int64_t block = layout == Layout::blocked8 ? 8 : layout == Layout::blocked16 ? 16 : 1;
    if (type.shape[1] % block == 0 && format == onednn::desc(type, layout)) {
      return layout;
    }
  }
  return std::nullopt;
}

/// What oneDNN prefers for these shapes and this instruction set, where its backward primitives have quick code for it too: the same block
/// on both sides, or plain x of at most 3 channels. Elsewhere (6 channels, 10 channels, ...) it pads channels and some passes fall back to
/// AVX2 or to plain loops; channels_last is quick in all three there. GFLOP/s of the three passes, oneDNN 2.6.3, Zen 5, 8 samples:
///   6→16, 5×5, 14×14: padded 213 85 70, channels_last 163 85 165;   10→20, 5×5: 139 89 51, 125 140 95;   24→40, 3×3: 155 158 152, 209 193
///   204 32→64, 3×3, 26×26: blocked16 231 233 226, channels_last 227 205 171, plain 135 118 95;   1→32, 3×3: blocked16 146 – 153, plain 59
///   – 23
Layouts preferred(const ConvSizes& s) {
  const auto description = describe_forward(s, {onednn::any(s.x()), onednn::any(s.y())}, onednn::attributes(), true);
  const std::optional<Layout> x = layout_of(description.src_desc(), s.x()), y = layout_of(description.dst_desc(), s.y());
  const Layout last_x = s.c == 1 ? Layout::plain : Layout::channels_last;  // one channel: the same memory
  if (x && y && (*x == *y || (*x == Layout::plain && s.c <= 3))) {
    return {*x, *y};
  }
  return {last_x, Layout::channels_last};
}

Desc format(const TensorType& type, Layout layout, Layout other) {
  const bool same_memory = type.shape[1] == 1 && layout == Layout::plain && other == Layout::channels_last;
  return onednn::desc(type, same_memory ? Layout::channels_last : layout);
}

Formats formats_of(const ConvSizes& s, Layout x, Layout y) { return {format(s.x(), x, y), format(s.y(), y, x)}; }

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
  const Formats mine = formats_of(s, spec.in_layouts[0], spec.out_layouts[0]);
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
  const Formats mine = formats_of(s, spec.out_layouts[0], spec.in_layouts[0]);
  const auto describe = [&](const Formats& f) {
    return onednn::describe_backward<BackwardData>(describe_forward(s, f, onednn::attributes(), false), onednn::attributes(), kDirect, f.x,
                                                   onednn::any(s.weight()), f.y, both(s.stride), both(s.padding), both(s.padding));
  };
  return quickest(s, mine, s.c <= 3, describe,
                  {{DNNL_ARG_DIFF_DST, mine.y}, {DNNL_ARG_WEIGHTS, onednn::desc(s.weight())}, {DNNL_ARG_DIFF_SRC, mine.x, true}});
}

std::unique_ptr<CpuKernel> conv2d_backward_weights_cpu(const KernelSpec& spec) {
  const ConvSizes s = conv2d_backward_weights_sizes(spec.in, spec.attrs);
  const Formats mine = formats_of(s, spec.in_layouts[0], spec.in_layouts[1]);
  const auto describe = [&](const Formats& f) {
    return onednn::describe_backward<BackwardWeights>(describe_forward(s, f, onednn::attributes(), true), onednn::attributes(), kDirect,
                                                      f.x, onednn::any(s.weight()), onednn::desc(s.bias()), f.y, both(s.stride),
                                                      both(s.padding), both(s.padding));
  };
  return quickest(s, mine, false, describe,
                  {{DNNL_ARG_SRC, mine.x},
                   {DNNL_ARG_DIFF_DST, mine.y},
                   {DNNL_ARG_DIFF_WEIGHTS, onednn::desc(s.weight()), true},
                   {DNNL_ARG_DIFF_BIAS, onednn::desc(s.bias()), true}});
}

void conv2d_layouts(KernelSpec& spec) {
  const Layouts layouts = preferred(conv2d_sizes(spec.in, spec.attrs));
  spec.in_layouts.assign(spec.in.size(), Layout::plain);
  spec.in_layouts[0] = layouts.x;
  spec.out_layouts[0] = layouts.y;
}

void conv2d_backward_data_layouts(KernelSpec& spec) {
  const Layouts layouts = preferred(conv2d_backward_data_sizes(spec.in, spec.attrs));
  spec.in_layouts = {layouts.y, Layout::plain};
  spec.out_layouts = {layouts.x};
}

void conv2d_backward_weights_layouts(KernelSpec& spec) {
  const Layouts layouts = preferred(conv2d_backward_weights_sizes(spec.in, spec.attrs));
  spec.in_layouts = {layouts.x, layouts.y};
  spec.out_layouts = {Layout::plain, Layout::plain};
}

}  // namespace lockstep
