#include <fmt/format.h>

#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

using namespace nn;

std::string numbered(const char* name, std::size_t i) { return fmt::format("{}.{}", name, i); }

Value mlp(const Scope& scope, const ModelOptions& options, Value x) {
  const Initializer init = initializer_for(options.activation);
  x = x.shape().rank() > 2 ? flatten(x) : x;
  for (std::size_t i = 0; i < options.hidden.size(); ++i) {
    x = dense(scope, numbered("layers", i), x, options.hidden[i], init);
    x = options.batch_norm ? nn::batch_norm(scope, numbered("norms", i), x) : x;
    x = activate(x, options.activation);
    x = nn::dropout(scope, numbered("dropouts", i), x, options.dropout);
  }
  return dense(scope, numbered("layers", options.hidden.size()), x, options.classes, Initializer::glorot());
}

Value cnn(const Scope& scope, const ModelOptions& options, Value x) {
  if (options.sample.rank() != 3) {
    throw UsageError(fmt::format("the model cnn needs images [channels, height, width], not {}", options.sample.str()));
  }
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

}  // namespace

Model build_model(const ModelOptions& options) {
  if (options.name != "mlp" && options.name != "cnn") {
    throw UsageError(fmt::format("there is no model '{}'; there are mlp and cnn", options.name));
  }
  return make_model([&](Scope& scope) {
    std::vector<std::int64_t> shape{kBatch};
    shape.insert(shape.end(), options.sample.dims().begin(), options.sample.dims().end());
    const Value x = scope.graph.input("features", Shape(shape));
    classify(scope, options.name == "mlp" ? mlp(scope, options, x) : cnn(scope, options, x));
  });
}

}  // namespace lockstep
