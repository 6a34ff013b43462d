#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <limits>

#include "cli/cadence.hpp"
#include "cli/commands.hpp"
#include "cli/data_options.hpp"
#include "cli/lease.hpp"
#include "cli/recipe_options.hpp"
#include "cli/result.hpp"
#include "cli/samples.hpp"
#include "cli/task_options.hpp"
#include "formats/data_names.hpp"
#include "formats/report.hpp"
#include "formats/run_log.hpp"
#include "formats/safetensors.hpp"
#include "formats/trace_file.hpp"
#include "lockstep/train.hpp"
#include "train/job.hpp"
#include "train/trainer.hpp"
#include "train/whole_file.hpp"

namespace lockstep::cli {
namespace {

void add_options(po::options_description& options, bool with_model) {
  options.add_options()  //
      ("data", po::value<std::string>()->required()->value_name("DIR"),
       "the dataset: DIR/train, and DIR/test if there is one; or HDF5 files")                    //
      ("test", po::value<std::string>()->value_name("DIR"), "evaluate this dataset at the end")  //
      ("run", po::value<std::string>()->required()->value_name("DIR"), "the run folder; goes on from its last checkpoint");
  add_field_options(options);
  if (with_model) {
    add_model_options(options);
  }
  add_task_options(options);
  add_recipe_options(options);
  options.add_options()                                                                                                              //
      ("batch", po::value<std::int64_t>()->default_value(128), "samples of a step, over all workers")                                //
      ("lanes", po::value<std::int64_t>()->default_value(0), "lanes the batch is spread over; 0: by batch and model")                //
      ("epochs", po::value<std::int64_t>()->default_value(10), "passes over the training samples")                                   //
      ("steps", po::value<std::int64_t>()->default_value(0), "end after so many steps; 0: no limit")                                 //
      ("init", po::value<std::string>()->value_name("FILE"), "start from the weights in a safetensors file, under PyTorch's names")  //
      ("afresh", po::value<std::string>()->value_name("PATTERNS"),
       "with --init: what starts from its initialiser, such as 'fc.*,norm?.*'")                                                         //
      ("freeze", po::value<std::string>()->value_name("PATTERNS"), "leave these parameters as they start, such as 'layer1.*,conv1.*'")  //
      ("seed", po::value<std::int64_t>()->default_value(1), "of everything random")                                                     //
      ("limit", po::value<std::int64_t>()->default_value(0), "the first so many training samples; 0: all")                              //
      ("order", po::value<std::string>()->default_value("auto"), "of the samples: auto, chunk, sample or sequential")                   //
      ("validation", po::value<std::string>()->value_name("DIR"), "evaluate this dataset after each epoch")                             //
      ("validation-fraction", po::value<double>()->default_value(0), "or keep the last rows of the training part for it")               //
      ("patience", po::value<std::int64_t>()->default_value(0),
       "stop after so many epochs without improvement and keep the best; 0: never")                              //
      ("min-delta", po::value<double>()->default_value(0), "what counts as improvement of the validation loss")  //
      ("exchange", po::value<std::string>()->default_value("auto"),
       "how gradients travel between workers: auto (shared memory where all are on one machine) or messages")  //
      ("reduce", po::value<std::string>()->default_value("exact"),
       "exact, or arrival: sums in rank order, whose bits depend on the workers")                                                   //
      ("threads", po::value<std::int64_t>()->default_value(0), "of this worker; 0: the cores of this host, shared by its workers")  //
      ("pin", po::value<std::string>()->default_value("auto"),
       "each thread to a core of its own: auto (where a worker has as many as threads, and no other may use them), on or off")      //
      ("balance", po::bool_switch(), "deal the lanes again at the end of an epoch, fewer to slow workers; the bits stay the same")  //
      ("checkpoint-every", po::value<std::int64_t>()->default_value(0),
       "a checkpoint after so many steps, besides the epochs' ends; 0: none")                                                  //
      ("checkpoint-seconds", po::value<std::string>()->default_value("10m"), "a checkpoint when the last is so old; 0: none")  //
      ("stop-after", po::value<std::string>()->value_name("TIME"),
       "end with a checkpoint and exit code 75 before so much time (30s, 10m, 1-02:00:00) has passed; in a Slurm job, also before its "
       "end")                                                                                                        //
      ("keep", po::value<std::int64_t>()->default_value(3), "so many of the newest checkpoints (and the best one)")  //
      ("cache", po::value<std::string>()->default_value("1GiB"), "memory for samples as they are stored")            //
      ("deadline", po::value<std::string>()->default_value("60s"),
       "after which a silent worker is given up; five times that at the start and the end")                                       //
      ("steps-every", po::value<std::int64_t>()->default_value(0), "steps of a line in steps.jsonl; 0: a hundredth of an epoch")  //
      ("hash-every", po::value<std::int64_t>()->default_value(0), "a line in hashes.jsonl after so many steps; 0: never")         //
      ("tensorboard", po::bool_switch(), "write events for TensorBoard to RUN/tensorboard")                                       //
      ("trace", po::value<std::string>()->value_name("STEPS"),
       "write what each lane, thread and reader does in the first STEPS steps, or in FROM:TO, to RUN/trace.json, for ui.perfetto.dev")  //
      ("log-every", po::value<std::string>()->default_value("30s"), "a line of progress where there is no terminal")                    //
      ("accept-changed-data", po::bool_switch(), "go on though the dataset has changed; the epoch under way begins anew")               //
      ("accept-other-machine", po::bool_switch(), "go on from a checkpoint of another kind of machine")                                 //
      ("quiet", po::bool_switch(), "no progress");
}

constexpr std::int64_t kManyThreads = 1 << 16;
const Cadence::Clock::time_point process_start = Cadence::Clock::now();

std::uint64_t count(const po::variables_map& values, const char* name, std::int64_t least = 0,
                    std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  const auto number = values[name].as<std::int64_t>();
  if (number > most) {
    throw UsageError(fmt::format("--{} must be at most {}, not {}", name, most, number));
  }
  if (number < least) {
    throw UsageError(fmt::format("--{} must be at least {}, not {}", name, least, number));
  }
  return static_cast<std::uint64_t>(number);
}

/// The options that change a model after it is made, as they were given: "freeze conv*, loss auto".
std::string model_changes(const po::variables_map& values) {
  std::string text;
  for (const char* name : {"augment", "class-weights", "freeze", "loss"}) {
    if (values.contains(name)) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, values[name].as<std::string>());
    }
  }
  return text;
}

/// When the run must have written its last checkpoint: by --stop-after, or by the end of the Slurm job that it is part of.
std::optional<Cadence::Clock::time_point> end_of(const po::variables_map& values) {
  std::optional<Cadence::Clock::time_point> end;
  const auto not_after = [&end](Cadence::Clock::time_point started, double seconds) {
    const auto then = started + std::chrono::duration_cast<Cadence::Clock::duration>(std::chrono::duration<double>(seconds));
    end = end ? std::min(*end, then) : then;
  };
  if (values.contains("stop-after")) {
    not_after(process_start, parse_seconds(values["stop-after"].as<std::string>()));
  }
  if (const char* const job_end = std::getenv("SLURM_JOB_END_TIME"); job_end != nullptr && std::atof(job_end) > 0) {
    constexpr double kLastWords = 15;  // for the last worker to end and the batch script to ask for a requeue
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    not_after(Cadence::Clock::now(), std::atof(job_end) - now.count() - kLastWords);
  }
  return end;
}

TrainSettings settings_from(const Options& options, const Communicator& communicator) {
  const po::variables_map& values = options.values();
  TrainSettings settings;
  settings.batch = static_cast<std::int64_t>(count(values, "batch", 1));
  settings.lanes = static_cast<int>(count(values, "lanes", 0, kManyThreads));
  settings.epochs = count(values, "epochs", 1);
  settings.steps = count(values, "steps");
  settings.seed = count(values, "seed");
  settings.limit = static_cast<std::int64_t>(count(values, "limit"));
  settings.validation_fraction = values["validation-fraction"].as<double>();
  settings.model_changes = model_changes(values);
  settings.recipe = recipe_from(values);
  settings.schedule = schedule_from(values["schedule"].as<std::string>(), count(values, "warmup"));
  settings.patience = count(values, "patience");
  settings.top_k = static_cast<int>(count(values, "top-k", 1, kManyThreads));
  settings.min_delta = values["min-delta"].as<double>();
  const std::string order = values["order"].as<std::string>();
  settings.order = order == "auto" ? std::nullopt : std::optional(order_from(order));
  constexpr std::array<std::string_view, 2> kReductions{"exact", "arrival"};
  settings.share = shares_memory(values);
  settings.reduce = choice(values, "reduce", kReductions) == 0 ? ReduceMode::exact : ReduceMode::arrival;
  settings.run = values["run"].as<std::string>();
  settings.threads = static_cast<int>(count(values, "threads", 0, kManyThreads));
  settings.threads = settings.threads > 0 ? settings.threads : default_threads(communicator);
  settings.pin = pins_threads(values);
  settings.balance = values["balance"].as<bool>();
  settings.accept_changed_data = values["accept-changed-data"].as<bool>();
  settings.hash_every = count(values, "hash-every");
  settings.keep = static_cast<int>(count(values, "keep", 1, kManyThreads));
  settings.cache = parse_bytes(values["cache"].as<std::string>());
  settings.log_every = parse_seconds(values["log-every"].as<std::string>());
  settings.quiet = values["quiet"].as<bool>();
  if (values.contains("init")) {
    const bool some = values.contains("afresh");
    settings.start = read_starting_weights(values["init"].as<std::string>(),
                                           some ? split_names(values["afresh"].as<std::string>()) : std::vector<std::string>());
  }
  if (values.contains("afresh") && !values.contains("init")) {
    throw UsageError("--afresh says what not to take of the file of --init, which is not given");
  }
  settings.accept_other_machine = values["accept-other-machine"].as<bool>();
  settings.config = options.ini();
  if (settings.patience > 0 && !values.contains("validation") && settings.validation_fraction <= 0) {
    throw UsageError("--patience needs a validation set: give --validation DIR or --validation-fraction 0.1");
  }
  return settings;
}

/// The model of the run folder's last checkpoint, if there is one.
std::optional<Model> model_of_run(const std::filesystem::path& run, Communicator& communicator) {
  std::string model;
  if (communicator.rank() == 0) {
    const auto latest = CheckpointStore(run, 1).load_latest([](const std::string&) {});  // the trainer reports damage
    model = latest ? latest->model : "";
  }
  share(communicator, model, "the checkpoint's model");
  return model.empty() ? std::nullopt : std::optional(Model::from_json(model));
}

/// Makes the model for a dataset. None: the one that the options ask for; where they ask for none, the run folder's.
using ModelMaker = std::function<Model(const Dataset&)>;

/// Refuses a model that this machine cannot hold, before it takes the memory of all else that runs here.
void require_memory(const Model& model) {
  constexpr double gib = 1U << 30;
  constexpr double copies = 3;  // rank 0 has them, a checkpoint's and its bytes; there is more
  const double wanted = copies * sizeof(float) * static_cast<double>(model.parameter_count()) / gib;
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)) / gib;
  if (wanted > memory) {
    throw UsageError(fmt::format(
        "the model's {} parameters and a checkpoint of them take at least {:.0f} GiB, and this machine has {:.0f} GiB of memory.\n"
        "  Give it narrower or fewer layers.",
        model.parameter_count(), wanted, memory));
  }
}

/// Throws UsageError where a pattern of --afresh fits nothing, as a misspelt one does.
void require_fits(const StartingWeights& start, const Model& model) {
  for (const std::string& pattern : start.afresh) {
    const auto in_model = [&](const Node& node) {
      return (node.op == &leaf::parameter() || node.op == &leaf::state()) && fits_pattern(node.attrs.text("name"), pattern);
    };
    if (std::ranges::none_of(model.program("train").nodes(), in_model) &&
        std::ranges::none_of(start.tensors, [&](const NamedTensor& tensor) { return fits_pattern(tensor.name, pattern); })) {
      throw UsageError(fmt::format("--afresh {}: no tensor of the model or of {} has such a name", pattern, start.file));
    }
  }
}

/// The model to train. Where it is the run folder's, `settings.config` says nothing of a model.
Model model_to_train(const Options& options, Communicator& communicator, const ModelMaker& make, const Dataset& training,
                     TrainSettings& settings) {
  const po::variables_map& values = options.values();
  if (!make && std::ranges::all_of(kModelOptions, [&](auto name) { return values[std::string(name)].defaulted(); })) {
    if (const std::optional<Model> model = model_of_run(settings.run, communicator)) {
      settings.config = options.ini(kModelOptions);
      return *model;
    }
  }
  Model model = make ? make(training) : model_for(values, training);
  require_memory(model);
  if (values.contains("freeze")) {
    model = freeze(model, split_names(values["freeze"].as<std::string>()));
  }
  require_fits(settings.start, model);
  model = with_augmentation(with_class_weights(std::move(model), values, training), values);
  return training.has_field("weight") ? weigh_samples(std::move(model)) : model;
}

/// What the trained model says of some samples that it was not trained on, if there are such.
void write_samples(const Model& model, const TrainSettings& settings, const RunData& data) {
  const bool some = settings.validation_fraction > 0;
  const Dataset* const dataset = data.validation ? &*data.validation : some ? &data.training : data.test ? &*data.test : nullptr;
  const Metrics metrics(model);
  if (dataset == nullptr || metrics.task() == Metrics::Task::none) {
    return;
  }
  const RunFolder folder(settings.run);
  Predictor predictor(model, metrics.output(), read_safetensors(folder.model()).tensors, 1);
  const RowRange rows =
      some ? split_rows(dataset->rows(), settings.limit, settings.validation_fraction).validation : RowRange{0, dataset->rows()};
  if (const nlohmann::ordered_json samples = describe_samples(predictor, metrics, *dataset, rows); !samples.is_null()) {
    write_whole_file(folder.samples(), samples.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
}

/// What the run ended with: the parameters may be averaged ones, or those of the best epoch.
void write_result(const TrainSettings& settings, const TrainResult& result) {
  nlohmann::ordered_json json{{"step", result.step}, {"parameter_hash", result.parameter_hash}};
  for (const Figure& figure : result.figures) {
    json["test_" + figure.name] = figure.value;
  }
  write_whole_file(RunFolder(settings.run).result(), json.dump() + "\n");
}

int train_with(const Options& options, Communicator& communicator, const ModelMaker& make) {
  const po::variables_map& values = options.values();
  communicator.patience = Communicator::kPatience;
  TrainSettings settings = settings_from(options, communicator);
  const Cadence::Settings checkpoints{count(values, "checkpoint-every"), parse_seconds(values["checkpoint-seconds"].as<std::string>()),
                                      end_of(values)};
  settings.wish = [&communicator, cadence = Cadence(checkpoints, Cadence::Clock::now())](const Moment& moment) mutable {
    const Wish wish = communicator.rank() == 0 ? cadence.wish(Cadence::Clock::now(), moment) : Wish::nothing;
    return asked_to_stop() ? Wish::stop : wish;
  };
  std::optional<Lease> lease;
  const auto warn = [](const std::string& text) { std::cerr << fmt::format("lockstep train: {}\n", text); };
  await_root(communicator, [&] { lease.emplace(settings.run, warn); }, {"rank 0 to take the run folder"});
  if (communicator.rank() == 0 && std::filesystem::exists(RunFolder(settings.run).result()) &&
      !std::filesystem::exists(settings.run / "checkpoints")) {
    warn(fmt::format("{} holds the result of a finished run, but no checkpoint: it is trained again, from the start.",
                     settings.run.string()));
  }
  const RunData data = open_data(values, communicator);
  const Model model = model_to_train(options, communicator, make, data.training, settings);
  for (const std::optional<Dataset>& dataset : {std::optional(data.training), data.validation, data.test}) {
    if (dataset) {
      require_labels(model, *dataset);
    }
  }
  settings.data = describe_with_names(data.training);
  settings.label_scale = data.training.statistics(Metrics(model).labels()).std;
  std::optional<RunLog> log;
  if (communicator.rank() == 0) {
    log.emplace(RunLog::Settings{settings.run, count(values, "steps-every"), values["tensorboard"].as<bool>()});
    settings.watch = &*log;
  }
  std::optional<Trace> trace;
  if (values.contains("trace")) {
    trace = trace_of_steps(values["trace"].as<std::string>());
    settings.trace = &*trace;
  }
  settings.failed = [&] {
    if (communicator.size() > 1) {  // a lone worker's checkpoint is written first
      const ExitCode code = tell_fault(communicator);
      log.reset();
      lease.reset();
      communicator.abort(code);
    }
  };
  std::optional<Interruptible> interruptible(std::in_place);
  TrainResult result = train(communicator, model, settings, data.training, data.validation, data.test);
  interruptible.reset();
  if (trace) {
    write_trace(communicator, *trace, settings.run / "trace.json");
  }
  if (communicator.rank() == 0) {
    if (result.preempted) {
      std::cout << fmt::format("stopped at step {} with a checkpoint, as asked; the same command goes on from there\n", result.step);
    } else {
      if (result.test) {
        std::ranges::move(figures_of_targets(model, *result.test, *data.test), std::back_inserter(result.figures));
        print_result("test", *result.test, result.figures);
      }
      if (!result.confusion.empty()) {
        write_confusion(settings.run / "confusion.csv", result.confusion, *data.test);
      }
      write_samples(model, settings, data);
      write_result(settings, result);
      const std::filesystem::path report = settings.run / "report.html";
      write_report({&settings.run, 1}, report);
      const std::string speed =
          result.samples_per_second > 0 ? fmt::format("{:.0f}", result.samples_per_second) : "- (nothing left to train)";
      std::cout << fmt::format("parameter hash  {}\nsamples/s       {}\nrun folder      {}\nreport          {}\n", result.parameter_hash,
                               speed, settings.run.string(), report.string());
    }
    std::cout.flush();
  }
  return result.preempted ? static_cast<int>(ExitCode::preempted) : 0;
}

int run(const Arguments& arguments, const std::string& example, const ModelMaker& make) {
  Options options("train", "train a model, alone or under mpirun", example);
  add_options(options.add(), !make);
  if (!options.parse(arguments)) {
    return 0;
  }
  listen_for_stop();
  return with_workers(parse_seconds(options.values()["deadline"].as<std::string>()),
                      [&](Communicator& communicator) { return train_with(options, communicator, make); });
}

}  // namespace

int run_train(const Arguments& arguments) {
  return run(arguments, "mpirun -n 2 --bind-to none lockstep train --data datasets/fashion-mnist --run runs/first --model cnn --epochs 3",
             {});
}

}  // namespace lockstep::cli

int lockstep::train_main(int argc, char** argv, const std::function<void(nn::Scope&, const DataFacts&)>& write) {
  const std::string program = argc > 0 ? argv[0] : "train";
  const auto make = [&](const Dataset& dataset) {
    DataFacts facts;
    for (const Field& field : converted_fields(dataset)) {
      facts.samples[field.name] = field.sample;
    }
    facts.classes = dataset.has_field("labels") && dataset.field("labels").dtype == DType::i32 ? cli::count_classes(dataset) : 0;
    return make_model([&](nn::Scope& scope) { write(scope, facts); });
  };
  return cli::report_errors(program, [&] {
    return cli::run({argv + std::min(argc, 1), argv + argc}, "mpirun -n 2 --bind-to none " + program + " --data DIR --run RUN --epochs 3",
                    make);
  });
}
