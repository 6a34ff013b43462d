#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

using namespace nn;

std::string numbered(const char* name, std::size_t i) { return fmt::format("{}.{}", name, i); }

constexpr std::int64_t kDeepest = 1000;
constexpr std::int64_t kWidest = 1 << 20;

std::int64_t or_default(std::int64_t option, std::int64_t otherwise, std::int64_t most = kWidest) {
  if (option < 0 || option > most) {
    throw UsageError(fmt::format("a model's depth, width and heads must be at least 1, and this one at most {}, not {}", most, option));
  }
  return option > 0 ? option : otherwise;
}

Value mlp(const Scope& scope, const ModelOptions& options, Value x) {
  const Initializer init = initializer_for(options.activation);
  x = x.shape().rank() > 2 ? flatten(x) : x.shape().rank() < 2 ? reshape(x, {-1, 1}) : x;
  for (std::size_t i = 0; i < options.hidden.size(); ++i) {
    x = dense(scope, numbered("layers", i), x, options.hidden[i], init);
    x = options.batch_norm ? nn::batch_norm(scope, numbered("norms", i), x) : x;
    x = activate(x, options.activation);
    x = nn::dropout(scope, numbered("dropouts", i), x, options.dropout);
  }
  return dense(scope, numbered("layers", options.hidden.size()), x, options.classes, Initializer::glorot());
}

/// Samples as images [n, channels, height, width]; of grey ones the channel may be missing.
Value images(const ModelOptions& options, Value x) {
  const Shape& sample = options.sample;
  if (sample.rank() == 2) {
    return reshape(x, {-1, 1, sample[0], sample[1]});
  }
  if (sample.rank() != 3) {
    throw UsageError(
        fmt::format("the model {} needs images [channels, height, width] or [height, width], not {}", options.name, sample.str()));
  }
  if (channels_seem_last(sample)) {
    throw UsageError(
        fmt::format("images {} look like [height, width, channels], but the model {} needs [channels, height, width].\n"
                    "  Put :nhwc behind the name of the images, such as --input /images:nhwc, here or in the import.",
                    sample.str(), options.name));
  }
  return x;
}

Value cnn(const Scope& scope, const ModelOptions& options, Value x) {
  x = images(options, x);
  const Initializer init = initializer_for(options.activation);
  const auto block = [&](Value v, const std::string& number) {
    v = options.batch_norm ? nn::batch_norm(scope, "norm" + number, v) : v;
    return activate(v, options.activation);
  };
  x = block(nn::conv2d(scope, "conv1", x, 32, 3, 1, 0, init), "1");
  x = block(nn::conv2d(scope, "conv2", x, 64, 3, 1, 0, init), "2");
  x = flatten(max_pool(x, 2, 2));
  x = nn::dropout(scope, "dropout1", x, options.dropout);
  x = block(dense(scope, "dense1", x, 128, init), "3");
  x = nn::dropout(scope, "dropout2", x, options.dropout);
  return dense(scope, "dense2", x, options.classes, Initializer::glorot());
}

/// conv, batch norm, ReLU, conv, batch norm, plus x (projected where the shape changes), ReLU.
Value basic_block(const Scope& scope, const std::string& name, Value x, std::int64_t channels, std::int64_t stride) {
  const auto conv = [&](const std::string& conv_name, const std::string& norm_name, Value v, std::int64_t kernel, std::int64_t step) {
    v = nn::conv2d(scope, name + conv_name, v, channels, kernel, step, kernel / 2, Initializer::he(), false);
    return nn::batch_norm(scope, name + norm_name, v);
  };
  const Value y = conv(".conv2", ".bn2", relu(conv(".conv1", ".bn1", x, 3, stride)), 3, 1);
  const bool same = x.shape()[1] == channels && stride == 1;
  return relu(add(y, same ? x : conv(".downsample.0", ".downsample.1", x, 1, stride)));
}

Value resnet20(const Scope& scope, const ModelOptions& options, Value x) {
  x = images(options, x);
  const std::int64_t blocks = or_default(options.depth, 3, kDeepest);
  std::int64_t width = or_default(options.width, 16);
  x = relu(nn::batch_norm(scope, "bn1", nn::conv2d(scope, "conv1", x, width, 3, 1, 1, Initializer::he(), false)));
  for (int stage = 0; stage < 3; ++stage, width *= 2) {
    for (std::int64_t i = 0; i < blocks; ++i) {
      x = basic_block(scope, fmt::format("layer{}.{}", stage + 1, i), x, width, stage > 0 && i == 0 ? 2 : 1);
    }
  }
  return dense(scope, "fc", global_average_pool(x), options.classes, Initializer::glorot());
}

Value gpt(const Scope& scope, const ModelOptions& options, Value tokens) {
  if (options.sample.rank() != 1) {
    throw UsageError(fmt::format("the model gpt needs samples of tokens [context], not {}", options.sample.str()));
  }
  const std::int64_t blocks = or_default(options.depth, 4, kDeepest), width = or_default(options.width, 128),
                     heads = or_default(options.heads, 4);
  const Initializer init = Initializer::normal(0, 0.02);
  const Value position = scope.graph.parameter("position_embedding.weight", {options.sample[0], width}, init);
  Value x = add(nn::embedding(scope, "token_embedding", tokens, options.classes, width, init), position);
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::string block = fmt::format("blocks.{}.", i);
    x = add(x, self_attention(scope, block + "attention", nn::layer_norm(scope, block + "norm1", x), heads, true, init));
    const Value wide = gelu(dense(scope, block + "dense1", nn::layer_norm(scope, block + "norm2", x), 4 * width, init));
    x = add(x, dense(scope, block + "dense2", wide, width, init));
  }
  return dense(scope, "head", nn::layer_norm(scope, "norm", x), options.classes, init);
}

struct Builtin {
  std::string_view name;
  Value (*logits)(const Scope& scope, const ModelOptions& options, Value x);
  DType features = DType::f32;
};
constexpr std::array kModels{Builtin{"mlp", mlp}, Builtin{"cnn", cnn}, Builtin{"resnet20", resnet20}, Builtin{"gpt", gpt, DType::i32}};

}  // namespace

bool channels_seem_last(const Shape& sample) {
  constexpr std::int64_t kSmallest = 8;
  return sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3) && std::min(sample[0], sample[1]) >= kSmallest;
}

Model build_model(const ModelOptions& options) {
  const auto* model = std::ranges::find(kModels, options.name, &Builtin::name);
  if (model == kModels.end()) {
    throw UsageError(fmt::format("there is no model '{}'; there are mlp, cnn, resnet20 and gpt", options.name));
  }
  return make_model([&](Scope& scope) {
    std::vector<std::int64_t> shape{kBatch};
    shape.insert(shape.end(), options.sample.dims().begin(), options.sample.dims().end());
    const Value y = model->logits(scope, options, scope.graph.input("features", Shape(shape), model->features));
    if (options.loss == Loss::cross_entropy) {
      return classify(scope, y);
    }
    std::vector<std::int64_t> labels{-1};
    labels.insert(labels.end(), options.labels.dims().begin(), options.labels.dims().end());
    const Value outputs = reshape(y, Shape(std::move(labels)));
    return options.loss == Loss::squared_error ? regress(scope, outputs) : label_several(scope, outputs, options.label_type);
  });
}

}  // namespace lockstep
