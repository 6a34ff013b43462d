#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "cli/commands.hpp"
#include "cli/data_options.hpp"
#include "cli/result.hpp"
#include "cli/task_options.hpp"
#include "cli/trained.hpp"
#include "train/evaluate.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"
#include "train/trainer.hpp"

namespace lockstep::cli {
namespace {

int evaluate_with(const po::variables_map& values, Communicator& communicator) {
  std::optional<Checkpoint> mine;
  if (communicator.rank() == 0) {
    mine = load_trained(values["run"].as<std::string>(), "evaluate");
  }
  const Checkpoint checkpoint = share_checkpoint(communicator, mine).value();
  const Model model = Model::from_json(checkpoint.model);
  const Dataset dataset = open_like(description_of(checkpoint), values);
  require_labels(model, dataset);
  check_dataset(model, dataset, "evaluate");

  TrainSettings settings;
  settings.batch = checkpoint.settings.at("batch").get<std::int64_t>();
  settings.lanes = checkpoint.settings.at("lanes").get<int>();
  settings.threads = static_cast<int>(values["threads"].as<std::int64_t>());
  settings.threads = settings.threads > 0 ? settings.threads : default_threads(communicator);
  settings.top_k = static_cast<int>(values["top-k"].as<std::int64_t>());
  settings.label_scale = dataset.statistics(Metrics(model).labels()).std;
  const JobShape job = agree_on_job(communicator, model, settings);
  StepEngine engine(communicator, model, job, (settings.batch + job.lanes - 1) / job.lanes, {});
  from_tensors(engine.layout(), checkpoint.parameters, engine.set_parameters());
  const StepSums sums = evaluate_dataset(engine, dataset, {0, dataset.rows()}, settings.batch, job.lanes, settings.cache);
  if (communicator.rank() == 0) {
    std::vector<Figure> figures = engine.metrics().figures(sums);
    std::ranges::move(figures_of_targets(model, sums, dataset), std::back_inserter(figures));
    print_result("test", sums, figures);
    const std::span<const double> confusion = engine.metrics().confusion(sums);
    if (values.contains("confusion") && confusion.empty()) {
      throw UsageError("--confusion: there is no such matrix, the model does not give each sample one of at most 256 classes");
    }
    if (values.contains("confusion")) {
      write_confusion(values["confusion"].as<std::string>(), confusion, dataset);
    }
    std::cout << fmt::format("parameter hash  {}\n", parameter_hash(checkpoint.parameters));
  }
  return 0;
}

}  // namespace

int run_evaluate(const Arguments& arguments) {
  Options options("evaluate", "loss and accuracy of a trained model, from its checkpoint alone",
                  "lockstep evaluate --run runs/first --data datasets/fashion-mnist");
  options.add().add_options()                                                                                                 //
      ("run", po::value<std::string>()->required()->value_name("DIR"), "the run folder")                                      //
      ("data", po::value<std::string>()->required()->value_name("DIR"), "the dataset: DIR/test if there is one, else DIR")    //
      ("top-k", po::value<std::int64_t>()->default_value(5), "tell how often the label is among the k greatest logits, too")  //
      ("confusion", po::value<std::string>()->value_name("FILE.csv"), "write the confusion matrix")                           //
      ("threads", po::value<std::int64_t>()->default_value(0), "of this worker; 0: the cores of this host, shared by its workers");
  add_field_options(options.add());
  if (!options.parse(arguments)) {
    return 0;
  }
  constexpr double kDeadline = 60;
  return with_workers(kDeadline, [&](Communicator& communicator) { return evaluate_with(options.values(), communicator); });
}

}  // namespace lockstep::cli
