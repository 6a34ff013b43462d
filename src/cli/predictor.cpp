#include "cli/predictor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/reader.hpp"
#include "graph/rewrite.hpp"
#include "plan/compile.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"

namespace lockstep::cli {
namespace {

constexpr const char* kProgram = "predict";
constexpr std::int64_t kSamplesAtOnce = 64;  ///< of a thread

/// The graph without what this output does not need.
Graph only(const Graph& graph, const std::string& output) {
  std::vector<bool> needed(graph.nodes().size());
  const Ref wanted = graph.output(output);
  needed[static_cast<std::size_t>(wanted.node)] = true;
  needed = with_operands(graph, std::move(needed));
  Graph result(graph.batch());
  std::map<Ref, Value> moved;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    if (!needed[static_cast<std::size_t>(id)]) {
      continue;
    }
    std::vector<Value> inputs;
    for (const Ref ref : graph.node(id).inputs) {
      inputs.push_back(moved.at(ref));
    }
    int i = 0;
    for (const Value& value : copy_outputs(result, graph.node(id), inputs)) {
      moved[{id, i++}] = value;
    }
  }
  result.set_output(output, moved.at(wanted));
  return result;
}

/// Softmax in double.
void to_probabilities(std::span<float> logits) {
  const double greatest = *std::ranges::max_element(logits);
  const double sum = std::accumulate(logits.begin(), logits.end(), 0.0, [&](double s, float x) { return s + std::exp(x - greatest); });
  std::ranges::transform(logits, logits.begin(), [&](float x) { return static_cast<float>(std::exp(x - greatest) / sum); });
}

}  // namespace

Predictor::Predictor(const Model& model, const std::string& output, std::span<const NamedTensor> parameters, int threads)
    : output_(output), seats_(static_cast<std::size_t>(threads)), team_(threads) {
  const Graph& evaluate = model.program("evaluate");
  if (!evaluate.has_output(output)) {
    throw UsageError(fmt::format("the model has no output '{}' to predict", output));
  }
  model_.programs.emplace(kProgram, only(evaluate, output));
  layout_ = flat_layout(train_lane_graph(model.program("train").rebatch(kSamplesAtOnce)));
  parameters_.resize(static_cast<std::size_t>(layout_.size));
  from_tensors(layout_, parameters, parameters_);
  inputs_ = inputs_of(model_, kProgram);
  plan_ = compile(model_.program(kProgram).rebatch(kSamplesAtOnce), layout_);
  team_.run([this](int thread) {
    Seat& seat = seats_[static_cast<std::size_t>(thread)];
    seat.executor.emplace(*plan_, seat.scratch);
    for (const NamedType& input : plan_->inputs) {
      seat.inputs.emplace_back(static_cast<std::size_t>(input.type.shape.elements()) * size_of(input.type.dtype));
    }
  });
  std::vector<std::int64_t> dims = evaluate.type(evaluate.output(output)).shape.dims();
  dims.erase(dims.begin());
  shape_ = Shape(std::move(dims));
}

void Predictor::run(const Dataset& dataset, RowRange rows, const std::function<void(std::int64_t, std::span<const float>)>& visit) {
  const std::vector<Field> fields = converted_fields(dataset);
  check_fields(model_, fields, kProgram);
  const auto width = static_cast<std::size_t>(shape_.elements());
  // One lane, which the threads cut at multiples of kSamplesAtOnce: a row's place in its block is the same for any number of threads.
  const std::int64_t at_once = kSamplesAtOnce * team_.threads();
  const StepTable table(rows.rows, at_once, 1);
  ReaderOptions options;
  options.rows = rows;
  options.end_epoch = 1;
  BatchReader reader(std::make_shared<ChunkCache>(dataset, std::size_t{0}), table, options);
  std::vector<float> outputs(static_cast<std::size_t>(at_once) * width);
  for (std::int64_t step = 0, done = 0; step < table.steps(); ++step) {
    const LaneBatch& lane = reader.next().lanes[0];
    team_.run([&](int thread) {
      const std::int64_t first = thread * kSamplesAtOnce;
      const std::int64_t samples = std::min(kSamplesAtOnce, lane.samples - first);
      if (samples <= 0) {
        return;
      }
      Seat& seat = seats_[static_cast<std::size_t>(thread)];
      std::vector<const std::byte*> inputs;
      for (std::size_t i = 0; i < plan_->inputs.size(); ++i) {
        const std::size_t field = dataset.field_index(plan_->inputs[i].name);
        const std::size_t bytes = fields[field].row_bytes();
        std::copy_n(lane.fields[field] + static_cast<std::size_t>(first) * bytes, static_cast<std::size_t>(samples) * bytes,
                    seat.inputs[i].data());
        inputs.push_back(seat.inputs[i].data());
      }
      seat.executor->run({.inputs = inputs, .parameters = parameters_.data()}, {});
      std::copy_n(seat.executor->output(output_), static_cast<std::size_t>(samples) * width,
                  outputs.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(first) * width));
    });
    for (std::int64_t row = 0; row < lane.samples; ++row) {
      visit(done + row, std::span(outputs).subspan(static_cast<std::size_t>(row) * width, width));
    }
    done += lane.samples;
    reader.release();
  }
}

void to_units(Metrics::Task task, const Shape& sample, const Statistics& labels, std::span<float> outputs) {
  const std::size_t classes = sample.rank() == 0 ? 1 : static_cast<std::size_t>(sample[-1]);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (task == Metrics::Task::several) {
      outputs[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(outputs[i]))));
    } else if (task == Metrics::Task::classes && i % classes == 0) {
      to_probabilities(outputs.subspan(i, classes));
    } else if (task == Metrics::Task::numbers && !labels.std.empty()) {
      const std::size_t channel = i * labels.std.size() / outputs.size();
      outputs[i] = static_cast<float>(outputs[i] * labels.std[channel] + labels.mean[channel]);
    }
  }
}

}  // namespace lockstep::cli
