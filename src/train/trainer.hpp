#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "data/order.hpp"
#include "train/checkpoint.hpp"
#include "train/early_stopping.hpp"
#include "train/initial.hpp"
#include "train/progress.hpp"
#include "train/run_folder.hpp"
#include "train/schedule.hpp"
#include "train/step_engine.hpp"
#include "train/watch.hpp"

namespace lockstep {

/// Whether each thread stays on a core of its own: alone: where it has one, which no other worker of the machine may use.
enum class Pin : std::uint8_t { alone, on, off };

/// Where a run stands before a step.
struct Moment {
  std::uint64_t step = 0;   ///< that will be done after it
  bool epoch_ends = false;  ///< with it
  bool writing = false;     ///< a checkpoint is; another one would keep the steps waiting
  double copying = 0;       ///< seconds for which the last checkpoint kept the steps waiting
  double written = 0;       ///< seconds until the one that was last written was on the disk
};

/// Everything that decides a run, after options, config file and defaults. All but the last group belongs to the experiment: change it
/// and the model is another one.
struct TrainSettings {
  std::int64_t batch = 128;
  int lanes = 0;  ///< 0: by batch and graph
  std::uint64_t epochs = 10;
  std::uint64_t steps = 0;  ///< end after so many steps; 0: no limit
  std::uint64_t seed = 1;
  std::int64_t limit = 0;  ///< the first so many training samples; 0: all
  double validation_fraction = 0;
  std::string model_changes;  ///< what was done to the model after it was made, in words
  Recipe recipe;
  Schedule schedule;
  std::uint64_t patience = 0;
  double min_delta = 0;
  int top_k = 5;                    ///< of the accuracy that evaluations tell beside the plain one
  std::vector<double> label_scale;  ///< of each output of a regression: the unit in which errors are told; empty: 1
  std::optional<OrderKind> order;   ///< none: by the dataset's size
  StartingWeights start;            ///< none where it names no file
  ReduceMode reduce = ReduceMode::exact;
  bool share = true;  ///< memory among the workers of one machine; false: messages

  std::filesystem::path run;
  int threads = 1;
  Pin pin = Pin::alone;
  bool balance = false;  ///< deal the lanes again at the end of an epoch, by how long workers take for one
  /// Asked on every worker before each step; all do what the greatest wish is. None: there is but the last checkpoint.
  std::function<Wish(const Moment&)> wish;
  /// Called on a worker whose training has thrown, while that exception is under way and before anything is destroyed. May not return.
  std::function<void()> failed;
  bool accept_changed_data = false;
  int keep = 3;
  std::size_t cache = std::size_t{1} << 30;
  double log_every = 30;
  bool quiet = false;
  bool accept_other_machine = false;
  std::string config;            ///< text for config.ini
  nlohmann::ordered_json data;   ///< what the model must know of the training set; checkpoints keep it
  Watch* watch = nullptr;        ///< rank 0's, if there is one
  std::uint64_t hash_every = 0;  ///< steps after which it is shown the parameters; 0: never
  Trace* trace = nullptr;        ///< this worker's, if some steps are to be traced
};

/// What a run comes to; the same on every worker but for the times.
struct TrainResult {
  bool preempted = false;
  std::uint64_t step = 0;
  std::string parameter_hash;
  double samples_per_second = 0;
  std::optional<StepSums> test;
  std::vector<Figure> figures{};    ///< of the test
  std::vector<double> confusion{};  ///< of the test, [label, what the model says]; empty: there is none
};

/// Trains `model` on the rows of `train`, evaluating on `validation` (or on a fraction of the rows) after each epoch and on `test` once at
/// the end, in a run folder; goes on from the folder's last good checkpoint. Every worker calls it with the same arguments (threads may
/// differ). Throws UsageError, DataError, CheckpointError, WorkerLost, Diverged.
TrainResult train(Communicator& communicator, const Model& model, const TrainSettings& settings, const Dataset& train,
                  const std::optional<Dataset>& validation, const std::optional<Dataset>& test);

}  // namespace lockstep
