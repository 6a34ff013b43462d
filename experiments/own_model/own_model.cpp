#include <lockstep/train.hpp>

/// A classifier with a layer of its own: highway layers (Srivastava, Greff, Schmidhuber 2015, arXiv 1505.00387).
namespace {

using namespace lockstep;

/// y = gate·change + (1 − gate)·x, change = relu(dense(x)), gate = sigmoid(dense(x)): x [n, width] → [n, width].
/// Parameters NAME.change and NAME.gate, as those of nn::dense.
Value highway(const nn::Scope& scope, const std::string& name, Value x) {
  const std::int64_t width = x.shape()[-1];
  const Value change = relu(nn::dense(scope, name + ".change", x, width));
  const Value gate = sigmoid(nn::dense(scope, name + ".gate", x, width, Initializer::glorot()));
  return add(mul(gate, change), mul(sub(scope.graph.constant(1), gate), x));
}

void write_model(nn::Scope& scope, const DataFacts& data) {
  const std::vector<std::int64_t>& sample = data.samples.at("features").dims();
  std::vector<std::int64_t> shape{kBatch};
  shape.insert(shape.end(), sample.begin(), sample.end());
  Value x = relu(nn::dense(scope, "first", flatten(scope.graph.input("features", Shape(shape))), 64));
  for (const char* name : {"highway.0", "highway.1"}) {
    x = nn::dropout(scope, name, highway(scope, name, x), 0.1);
  }
  nn::classify(scope, nn::dense(scope, "last", x, data.classes, Initializer::glorot()));
}

}  // namespace

int main(int argc, char** argv) { return lockstep::train_main(argc, argv, write_model); }
