#include <fmt/format.h>

#include "ops/keyed.hpp"

/// augment: every image moved by up to `crop` pixels up or down and left or right, zeros moving in (what a random crop of the padded image
/// sees), and mirrored left to right with probability ½ where `flip` is 1.  x [n, C, H, W] → y [n, C, H, W], f32.
/// Attributes: crop ≥ 0, flip, name: the draws are keyed by (seed, name, step, place in the batch), so nothing is kept of them.
/// No gradient flows: images are no parameters.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::f32});
  const std::int64_t crop = attrs.integer("crop");
  if (in[0].shape.rank() != 4 || crop < 0 || crop >= in[0].shape[2] || crop >= in[0].shape[3]) {
    throw ShapeError(
        fmt::format("augment '{}': images [n, channels, height, width] are cropped by less than their height and width; these are "
                    "{}, and the crop is {}",
                    attrs.text("name"), in[0].shape.str(), crop));
  }
  return {in[0]};
}

struct Images {
  std::int64_t channels, height, width;
  explicit Images(const Shape& shape) : channels(shape[1]), height(shape[2]), width(shape[3]) {}
};

/// What is drawn for an image.
struct Draw {
  std::int64_t down, right;
  bool mirrored;

  Draw(const KeyedSource& source, std::size_t row, const Attrs& attrs) {
    const std::int64_t crop = attrs.integer("crop");
    const auto shift = [&](std::size_t element) {
      const std::uint64_t places = 2 * static_cast<std::uint64_t>(crop) + 1;
      return static_cast<std::int64_t>((source.word(row, element) * places) >> 32U) - crop;
    };
    down = shift(0);
    right = shift(1);
    mirrored = attrs.integer("flip") != 0 && (source.word(row, 2) >> 31U) != 0;
  }
};

void reference(const ReferenceCall& call) {
  const KeyedSource source(call.step, "augment", call.attrs.text("name"));
  const Images images(call.in_types[0].shape);
  const auto samples = static_cast<std::size_t>(call.in_types[0].shape[0]);
  std::size_t at = 0;
  for (std::size_t row = 0; row < samples; ++row) {
    const Draw draw(source, row, call.attrs);
    for (std::int64_t c = 0; c < images.channels; ++c) {
      for (std::int64_t h = 0; h < images.height; ++h) {
        for (std::int64_t w = 0; w < images.width; ++w, ++at) {
          const std::int64_t y = h - draw.down, x = (draw.mirrored ? images.width - 1 - w : w) - draw.right;
          const bool inside = y >= 0 && y < images.height && x >= 0 && x < images.width;
          const std::int64_t from = ((static_cast<std::int64_t>(row) * images.channels + c) * images.height + y) * images.width + x;
          call.out[0][at] = inside ? call.in[0][static_cast<std::size_t>(from)] : 0;
        }
      }
    }
  }
}

/// A row of pixels: moved to the right (left where below 0), then mirrored.
void move_row(const float* from, float* to, std::int64_t width, std::int64_t right, bool mirrored) {
  const std::int64_t begin = std::max<std::int64_t>(0, right), end = std::min(width, width + right);
  std::fill(to, to + begin, 0.0F);
  std::copy(from + begin - right, from + end - right, to + begin);
  std::fill(to + end, to + width, 0.0F);
  if (mirrored) {
    std::reverse(to, to + width);
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([attrs = spec.attrs, images = Images(spec.in[0].shape), samples = spec.in[0].shape[0]](const CpuCall& call) {
    const KeyedSource source(call.step, "augment", attrs.text("name"));
    const float* from = call.input(0);
    float* to = call.output(0);
    for (std::int64_t row = 0; row < samples; ++row) {
      const Draw draw(source, static_cast<std::size_t>(row), attrs);
      for (std::int64_t c = 0; c < images.channels; ++c, from += images.height * images.width) {
        for (std::int64_t h = 0; h < images.height; ++h, to += images.width) {
          const std::int64_t y = h - draw.down;
          if (y >= 0 && y < images.height) {
            move_row(from + y * images.width, to, images.width, draw.right, draw.mirrored);
          } else {
            std::fill(to, to + images.width, 0.0F);
          }
        }
      }
    }
  });
}

}  // namespace

constinit const DefinedOp augment_op({.name = "augment", .infer = infer, .gradient = no_gradient, .reference = reference, .cpu = cpu});

Value augment(Value x, std::int64_t crop, bool flip, const std::string& name) {
  return x.graph->add(augment_op, {{"crop", crop}, {"flip", std::int64_t{flip ? 1 : 0}}, {"name", name}}, {x});
}

}  // namespace lockstep
