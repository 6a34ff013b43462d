#include "train/trainer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>
#include <utility>

#include "plan/lane_price.hpp"
#include "train/evaluate.hpp"
#include "train/job.hpp"
#include "train/pace.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One run, from start or checkpoint to the end. A worker's view; all that steers it is the same on every worker.
class Trainer {
 public:
  Trainer(Communicator& communicator, const Model& model, const TrainSettings& settings, const Dataset& train,
          const std::optional<Dataset>& validation, const std::optional<Dataset>& test)
      : communicator_(communicator),
        model_(model),
        settings_(settings),
        train_(train),
        validation_(validation),
        test_(test),
        split_(split_rows(train.rows(), settings.limit, validation ? 0.0 : settings.validation_fraction)),
        job_(agree_on_job(communicator, model, settings)),
        table_(split_.train.rows, settings.batch, job_.lanes, static_cast<int>(model.least_lane())),
        cache_(std::make_shared<ChunkCache>(train, settings.cache)),
        engine_(communicator, model, job_, table_.max_lane_samples(), settings.recipe),
        pace_(job_.threads_per_worker),
        store_(settings.run, settings.keep),
        stopping_(settings.patience, settings.min_delta),
        lane_samples_(static_cast<std::size_t>(job_.lanes)) {}

  TrainResult run() {
    if (leads()) {
      folder_.emplace(settings_.run);
      progress_.emplace(std::cout, progress_settings());
    }
    try {
      try {
        communicator_.patience = Communicator::kPatience;
        start();
        const bool preempted = train_epochs();
        communicator_.patience = Communicator::kPatience;
        return finish(preempted);
      } catch (const Diverged&) {  // on every worker at the same step: the last good checkpoint may still be under way
        try {
          await_writing();
        } catch (const Error&) {  // what came first is told
        }
        throw;
      }
    } catch (...) {  // what is destroyed from here on waits, as for a checkpoint that is being written
      if (settings_.failed) {
        settings_.failed();
      }
      throw;
    }
  }

 private:
  [[nodiscard]] bool leads() const { return communicator_.rank() == 0; }
  [[nodiscard]] bool validates() const { return validation_.has_value() || split_.validation.rows > 0; }
  [[nodiscard]] OrderKind order() const { return settings_.order.value_or(default_order(train_.bytes())); }
  [[nodiscard]] std::uint64_t steps_per_epoch() const { return static_cast<std::uint64_t>(table_.steps()); }
  [[nodiscard]] std::uint64_t total_steps() const {
    const std::uint64_t all = before_ + settings_.epochs * steps_per_epoch();
    return settings_.steps > 0 ? std::min(settings_.steps, all) : all;
  }

  [[nodiscard]] double rate_of(std::uint64_t step) const {
    return learning_rate(settings_.schedule, settings_.recipe.rate, step, {total_steps(), steps_per_epoch()});
  }
  [[nodiscard]] const std::vector<std::string>& states() const { return engine_.updater().states(); }
  [[nodiscard]] bool averages() const { return settings_.recipe.average > 0; }

  [[nodiscard]] bool finished() const { return step_ >= total_steps() || stopping_.should_stop(); }

  /// The options with what they came to where that was left to the program.
  [[nodiscard]] std::string resolved_config() const {
    std::string text = settings_.config;
    for (const auto& [open, resolved] : {std::pair<std::string, std::string>{"\nlanes = 0\n", fmt::format("\nlanes = {}\n", job_.lanes)},
                                         {"\norder = auto\n", fmt::format("\norder = {}\n", name_of(order()))},
                                         {"\nthreads = 0\n", fmt::format("\nthreads = {}\n", job_.threads)}}) {
      if (const std::size_t at = text.find(open); at != std::string::npos) {
        text.replace(at, open.size(), resolved);
      }
    }
    return text;
  }

  ProgressSettings progress_settings() const {
    ProgressSettings progress = ProgressSettings::for_stdout();
    progress.quiet = settings_.quiet;
    progress.line_every = settings_.log_every;
    return progress;
  }
  void say(const std::string& text) {
    if (leads()) {
      progress_->say(text);
    }
  }

  void start() {
    fingerprint_ = agree_on_fingerprint(communicator_, engine_.fingerprint(converted_fields(train_)));
    agree_on_experiment(communicator_, experiment().dump() + model_.json() + train_.checksum() + (test_ ? test_->checksum() : ""));
    say(describe_job(communicator_, model_, job_, settings_.batch, engine_.layout()));
    const std::optional<Checkpoint> checkpoint = load();
    if (checkpoint) {
      restore(*checkpoint);
    } else {
      std::vector<float> start(engine_.parameters().size());  // workers that share memory write the same numbers, once
      initialise(engine_.layout(), settings_.seed, start);
      if (!settings_.start.file.empty()) {
        say(take_weights(engine_.layout(), settings_.start, start));
      }
      std::ranges::copy(start, engine_.set_parameters().begin());
    }
    static_cast<void>(agree_on_parameters(communicator_, engine_.layout(), engine_.parameters()));
    if (settings_.trace != nullptr) {
      settings_.trace->prepare(step_, engine_.lanes().begin, engine_.lanes().size(), job_.threads);
      engine_.trace(settings_.trace);
      store_.trace(settings_.trace->writer.data());
    }
    if (leads()) {
      folder_->write_config(resolved_config());
      folder_->restore_history(history_, validates() ? engine_.metrics().names() : std::vector<std::string>());
      if (settings_.watch != nullptr) {
        settings_.watch->start({step_, steps_per_epoch(), history_, checkpoint ? checkpoint->progress.value("watch", Json()) : Json()});
      }
    }
  }

  std::optional<Checkpoint> load() {
    std::optional<Checkpoint> latest;
    if (leads()) {
      latest = store_.load_latest([](const std::string& damage) { std::cerr << "lockstep train: " << damage << std::endl; });
    }
    return share_checkpoint(communicator_, latest);
  }

  void restore(const Checkpoint& checkpoint) {
    const bool changed =
        !check_same_run(checkpoint, model_, experiment(), train_.checksum(), settings_.accept_changed_data, engine_.layout());
    check_same_machine(checkpoint.fingerprint, fingerprint_, settings_.accept_other_machine);
    other_machines_ = checkpoint.progress.at("other_machines").get<std::vector<std::string>>();
    if (checkpoint.fingerprint != fingerprint_) {
      other_machines_.push_back(checkpoint.fingerprint);
      say("warning: the checkpoint was made on another kind of machine; this is recorded, and the last bits will differ");
    }
    from_tensors(engine_.layout(), checkpoint.parameters, engine_.set_parameters());
    for (std::size_t i = 0; i < states().size(); ++i) {
      std::vector<float> state(engine_.parameters().size());
      from_tensors(engine_.layout(), checkpoint.optimizer, state, states()[i] + "/");
      engine_.set_state(i, state);
    }
    epoch_ = checkpoint.epoch;
    step_in_epoch_ = checkpoint.step_in_epoch;
    step_ = checkpoint.step;
    stopping_.restore(checkpoint.progress.at("early_stopping"));
    best_hash_ = checkpoint.progress.at("best_hash").get<std::string>();
    epoch_loss_ = checkpoint.progress.at("epoch_loss").get<double>();
    epoch_samples_ = checkpoint.progress.at("epoch_samples").get<std::int64_t>();
    if (changed) {
      epoch_loss_ = 0;
      step_in_epoch_ = static_cast<std::uint64_t>(epoch_samples_ = 0);
      say("warning: the dataset has changed since the checkpoint; the epoch under way begins anew");
    }
    before_ = step_ - (epoch_ * steps_per_epoch() + step_in_epoch_);
    for (const auto& row : checkpoint.progress.at("history")) {
      history_.push_back(EpochRow::from_json(row));
    }
    say(finished() ? fmt::format("this run is finished: {} steps, {} epochs", step_, epoch_)
                   : fmt::format("goes on from step {} (epoch {}, step {})", step_, epoch_ + 1, step_in_epoch_));
  }

  [[nodiscard]] Json experiment() const {
    return describe_experiment(settings_, job_.lanes, order(), validation_ ? validation_->checksum() : "");
  }

  /// Takes a checkpoint of this moment and has it written. `wait`: until it is on the disk.
  void checkpoint(bool wait) {
    const auto start = Clock::now();
    static_cast<void>(engine_.parameters());  // until the step is settled its messages have the communicator
    if (wait) {
      await_writing();
    }
    const CheckpointStore::Shared now = best_ != nullptr && best_->step == step_ ? best_ : snapshot();
    const CheckpointStore::Shared best = std::exchange(best_, nullptr);
    if (leads()) {
      store_.write(now, best);
    }
    waited_ = wait ? 0 : seconds_since(start);
    epoch_seconds_ += waited_;  // of the epoch that follows, at its end
    if (wait) {
      await_writing();
    }
  }

  void await_writing() {
    await_root(communicator_, [this] { store_.wait(); }, {"rank 0 to write a checkpoint", static_cast<std::int64_t>(step_)});
    tell_written();
  }

  /// Throws CheckpointError if the write before failed.
  void tell_written() {
    if (const auto written = store_.ended()) {
      write_seconds_ = written->seconds;
      constexpr double kMegabyte = 1e6;
      say(fmt::format("checkpoint of step {}: {:.1f} MB written in {:.2f} s, training waited {:.3f} s", written->step,
                      static_cast<double>(written->bytes) / kMegabyte, written->seconds, waited_));
    }
  }

  /// All that a run needs to go on from this moment; on the others, its step. Every worker must call it.
  CheckpointStore::Shared snapshot() {
    check_data();
    check_finite(engine_.layout(), engine_.parameters());
    Checkpoint before;  // whose memory is used again: a step waits long for new pages
    if (last_.use_count() == 1) {
      before = std::move(*last_);
    }
    std::span<NamedTensor> memory = before.optimizer;
    Checkpoint checkpoint;
    state_.resize(engine_.parameters().size());
    for (std::size_t i = 0; i < states().size(); ++i) {
      engine_.gather_state(i, state_);
      if (leads()) {
        std::vector<NamedTensor> state = to_tensors(engine_.layout(), state_, states()[i] + "/", states()[i] != kAverage, memory);
        memory = memory.subspan(std::min(memory.size(), state.size()));
        std::ranges::move(state, std::back_inserter(checkpoint.optimizer));
      }
    }
    checkpoint.step = step_;
    if (leads()) {
      checkpoint.model = model_.json();
      checkpoint.parameters = to_tensors(engine_.layout(), engine_.parameters(), "", false, before.parameters);
      checkpoint.epoch = epoch_;
      checkpoint.step_in_epoch = step_in_epoch_;
      nlohmann::ordered_json history = nlohmann::ordered_json::array();
      for (const EpochRow& row : history_) {
        history.push_back(row.to_json());
      }
      checkpoint.progress = {{"epoch_loss", epoch_loss_}, {"epoch_samples", epoch_samples_},   {"early_stopping", stopping_.to_json()},
                             {"best_hash", best_hash_},   {"other_machines", other_machines_}, {"history", std::move(history)}};
      checkpoint.progress["watch"] = settings_.watch != nullptr ? settings_.watch->checkpoint() : Json();
      checkpoint.settings = experiment();
      checkpoint.settings["data"] = settings_.data;
      checkpoint.fingerprint = fingerprint_;
      checkpoint.dataset_checksum = train_.checksum();
    }
    last_ = std::make_shared<Checkpoint>(std::move(checkpoint));
    return last_;
  }

  [[nodiscard]] ReaderOptions reader_options(std::uint64_t epoch, std::uint64_t step) const {
    ReaderOptions options;
    options.rows = split_.train;
    options.order = order();
    options.seed = settings_.seed;
    options.lane_begin = engine_.lanes().begin;
    options.lane_end = engine_.lanes().end;
    options.epoch = epoch;
    options.step = static_cast<std::int64_t>(step);
    options.end_epoch = std::max(settings_.epochs, epoch + 1);
    options.trace = settings_.trace != nullptr ? settings_.trace->reader.data() : nullptr;
    return options;
  }

  /// True when it ended early because some worker was asked to.
  bool train_epochs() {
    if (finished()) {
      return false;
    }
    std::optional<BatchReader> reader(std::in_place, cache_, table_, reader_options(epoch_, step_in_epoch_));
    if (!cache_->note().empty()) {
      say(cache_->note());
    }
    while (!finished()) {
      const Wish wish = train_one_step(*reader);
      communicator_.patience = 1;
      if (step_in_epoch_ == steps_per_epoch() && end_epoch()) {
        best_ = snapshot();  // written before the next checkpoint: what is on the disk must know its best one
      }
      const bool last = finished() || wish == Wish::stop;
      if (wish != Wish::nothing || last) {
        checkpoint(last);
      }
      if (last) {
        return !finished();
      }
      if (settings_.balance && step_in_epoch_ == 0 && balance()) {
        reader.reset();
        reader.emplace(cache_, table_, reader_options(epoch_, 0));
      }
    }
    return false;
  }

  /// Deals the lanes again where that makes steps shorter; true if it did.
  bool balance() {
    const auto shares = pace_.better_shares(engine_.runs());
    if (!shares || (settings_.trace != nullptr && step_ < settings_.trace->to)) {  // a trace has the tracks that it began with
      return false;
    }
    const auto lanes_of = [](std::span<const LaneRange> runs) {
      std::vector<int> lanes;
      std::ranges::transform(runs, std::back_inserter(lanes), &LaneRange::size);
      return lanes;
    };
    const std::vector<int> before = lanes_of(engine_.runs());
    engine_.deal_again(*shares);
    say(fmt::format("the workers have {} lanes from here on, by how long each takes for one; before: {}",
                    fmt::join(lanes_of(engine_.runs()), ", "), fmt::join(before, ", ")));
    return true;
  }

  /// The workers that are slow by now, by name; each is told of once when it becomes so.
  std::string name_the_slow() {
    const bool looked = pace_.add(engine_.seconds_per_lane());
    std::string names;
    for (const Pace::Slow& slow : pace_.slow()) {
      names += (names.empty() ? "" : ", ") + communicator_.name(slow.worker);
      if (looked && slow.windows == 1) {
        say(fmt::format("step {}: {} is slow: it took {:.1f} times as long for a lane as the median worker in the last {} steps.{}", step_,
                        communicator_.name(slow.worker), slow.times, Pace::kWindow,
                        settings_.balance ? "" : "\n  --balance gives slow workers fewer lanes."));
      }
    }
    return names;
  }

  Wish train_one_step(BatchReader& reader) {
    communicator_.step = static_cast<std::int64_t>(step_);
    tell_written();
    const bool last = step_in_epoch_ + 1 == steps_per_epoch();
    const Wish mine = settings_.wish ? settings_.wish({step_ + 1, last, store_.writing(), waited_, write_seconds_}) : Wish::nothing;
    const auto start = Clock::now();
    const double waited = reader.wait_seconds();
    const StepTimes before = engine_.times();
    const StepBatch& batch = reader.next();
    for (int v = 0; v < job_.lanes; ++v) {
      lane_samples_[static_cast<std::size_t>(v)] = static_cast<int>(table_.lane_samples(batch.step, v));
    }
    const double rate = rate_of(step_);
    const StepContext context{settings_.seed, epoch_, step_, 0};
    const StepSums sums = engine_.train(batch, reader.fields(), lane_samples_, context, rate, mine);
    reader.release();
    ++step_;
    ++step_in_epoch_;
    epoch_loss_ += sums.loss;
    epoch_samples_ += sums.samples;
    const double seconds = seconds_since(start), wait = reader.wait_seconds() - waited;
    epoch_seconds_ += seconds;
    epoch_wait_ += wait;
    timed_samples_ += sums.samples;
    std::string slow = name_the_slow();
    if (settings_.watch != nullptr) {
      const StepTimes& now = engine_.times();
      const double update = now.update - before.update;
      settings_.watch->step({step_, epoch_ + 1, sums.samples, sums.loss, rate, engine_.gradient_norm(), seconds,
                             now.compute - before.compute - update, wait, now.waiting - before.waiting, update, std::move(slow)});
    }
    if (settings_.hash_every > 0 && step_ % settings_.hash_every == 0) {
      const std::span<const float> parameters = engine_.parameters();
      if (settings_.watch != nullptr) {
        settings_.watch->parameters(step_, engine_.layout(), parameters);
      }
    }
    if (leads()) {
      progress_->update({epoch_ + 1, settings_.epochs, step_in_epoch_, steps_per_epoch(), total_steps() - step_,
                         sums.loss / static_cast<double>(sums.samples), static_cast<double>(timed_samples_) / epoch_seconds_});
    }
    return sums.wish;
  }

  /// Evaluates, compares the workers' copies and writes the epoch's row; true if this is the best epoch so far.
  bool end_epoch() {
    communicator_.patience = Communicator::kPatience;  // workers may take unlike times to evaluate
    const std::string hash = agree_on_parameters(communicator_, engine_.layout(), engine_.parameters());
    check_finite(engine_.layout(), engine_.parameters());
    EpochRow row;
    row.epoch = epoch_ + 1;
    row.step = step_;
    row.train_loss = epoch_loss_ / static_cast<double>(epoch_samples_);
    row.learning_rate = rate_of(step_ - 1);
    row.penalty = engine_.updater().penalty(engine_.parameters());
    row.parameter_norm = parameter_norm(engine_.layout(), engine_.parameters());
    row.parameter_hash = hash;
    row.samples_per_second = static_cast<double>(timed_samples_) / epoch_seconds_;
    row.seconds = epoch_seconds_;
    row.data_wait_share = epoch_wait_ / epoch_seconds_;
    bool best = false;
    if (validates()) {
      const Dataset& data = validation_ ? *validation_ : train_;
      const RowRange rows = validation_ ? RowRange{0, data.rows()} : split_.validation;
      const StepSums sums = validate(data, rows);
      row.validation_loss = sums.loss / static_cast<double>(sums.samples);
      row.figures = engine_.metrics().figures(sums);
      best = stopping_.update(*row.validation_loss);
      best_hash_ = best ? hash : best_hash_;
    }
    run_seconds_ += epoch_seconds_;
    run_samples_ += timed_samples_;
    history_.push_back(row);
    ++epoch_;
    step_in_epoch_ = 0;
    epoch_loss_ = epoch_seconds_ = epoch_wait_ = 0;
    epoch_samples_ = timed_samples_ = 0;
    if (leads()) {
      folder_->append(row);
      say(describe_epoch(row, settings_.epochs));
    }
    if (settings_.watch != nullptr) {
      settings_.watch->epoch(row);
    }
    return best;
  }

  /// Throws DataError where a file of the dataset was changed while the run read it.
  void check_data() const {
    for (const Dataset* data : {&train_, validation_ ? &*validation_ : nullptr}) {
      const auto changed = data != nullptr && !settings_.accept_changed_data ? data->changed() : std::nullopt;
      if (changed) {
        throw DataError(
            fmt::format("{} was changed while the run was reading it.\n  Put it back, or give --accept-changed-data.", *changed));
      }
    }
  }

  /// With the averaged weights, where there are some.
  StepSums validate(const Dataset& data, RowRange rows) {
    std::vector<float> weights;
    if (averages()) {
      weights.assign(engine_.parameters().begin(), engine_.parameters().end());
      take_averages();
    }
    StepSums sums = evaluate_dataset(engine_, data, rows, settings_.batch, job_.lanes, settings_.cache);
    if (averages()) {
      std::ranges::copy(weights, engine_.set_parameters().begin());
    }
    return sums;
  }

  void take_averages() {
    state_.resize(engine_.parameters().size());
    engine_.gather_state(states().size() - 1, state_);
    std::ranges::copy(state_, engine_.set_parameters().begin());
  }

  TrainResult finish(bool preempted) {
    TrainResult result;
    result.preempted = preempted;
    if (!preempted) {
      if (averages()) {
        take_averages();
      }
      if (validates() && settings_.patience > 0) {
        restore_best();
      }
    }
    result.step = step_;
    result.parameter_hash = agree_on_parameters(communicator_, engine_.layout(), engine_.parameters());
    const double seconds = run_seconds_ + epoch_seconds_;
    result.samples_per_second = seconds > 0 ? static_cast<double>(run_samples_ + timed_samples_) / seconds : 0;
    if (!preempted) {
      const auto show = [this] {
        if (settings_.watch != nullptr) {
          settings_.watch->model(to_tensors(engine_.layout(), engine_.parameters()));
        }
      };
      await_root(communicator_, show, {"rank 0 to write the model"});
      if (test_) {
        result.test = evaluate_dataset(engine_, *test_, {0, test_->rows()}, settings_.batch, job_.lanes, settings_.cache);
        result.figures = engine_.metrics().figures(*result.test);
        const std::span<const double> confusion = engine_.metrics().confusion(*result.test);
        result.confusion.assign(confusion.begin(), confusion.end());
      }
    }
    return result;
  }

  void restore_best() {
    std::optional<Checkpoint> best;
    if (leads()) {
      best = store_.load_best();
    }
    best = share_checkpoint(communicator_, best);
    if (best) {
      if (parameter_hash(best->parameters) != best_hash_) {
        throw CheckpointError("checkpoints/best.h5 is not this run's best epoch.\n  Start again in another --run.");
      }
      from_tensors(engine_.layout(), model_of(*best), engine_.set_parameters());
      say(fmt::format("the best epoch's parameters are kept (epoch {}, validation loss {:.4f})", best->epoch, stopping_.best()));
    }
  }

  Communicator& communicator_;
  const Model& model_;
  const TrainSettings& settings_;
  const Dataset& train_;
  const std::optional<Dataset>& validation_;
  const std::optional<Dataset>& test_;
  Split split_;
  JobShape job_;
  StepTable table_;
  std::shared_ptr<ChunkCache> cache_;
  StepEngine engine_;
  Pace pace_;
  CheckpointStore store_;
  double waited_ = 0, write_seconds_ = 0;  ///< of the last checkpoint: for its copy; until it was on the disk
  CheckpointStore::Shared best_;           ///< not written yet
  std::shared_ptr<Checkpoint> last_;       ///< the last one that was taken
  std::vector<float> state_;               ///< one of the whole job's, on its way to a checkpoint
  EarlyStopping stopping_;
  std::optional<RunFolder> folder_;
  std::optional<Progress> progress_;
  std::string fingerprint_, best_hash_;
  std::vector<std::string> other_machines_;  ///< fingerprints that --accept-other-machine went on from
  std::vector<int> lane_samples_;

  std::uint64_t epoch_ = 0, step_in_epoch_ = 0, step_ = 0;
  std::uint64_t before_ = 0;  ///< steps beyond those of the epochs so far, from other data; may be negative, modulo 2^64
  double epoch_loss_ = 0;
  std::int64_t epoch_samples_ = 0;
  std::vector<EpochRow> history_;
  double epoch_seconds_ = 0, epoch_wait_ = 0, run_seconds_ = 0;  ///< in this process
  std::int64_t timed_samples_ = 0, run_samples_ = 0;
};

}  // namespace

TrainResult train(Communicator& communicator, const Model& model, const TrainSettings& settings, const Dataset& train,
                  const std::optional<Dataset>& validation, const std::optional<Dataset>& test) {
  if (validation && settings.validation_fraction > 0) {
    throw UsageError("--validation and --validation-fraction: give one of them");
  }
  check_dataset(model, train);
  for (const std::optional<Dataset>* other : {&validation, &test}) {
    if (*other) {
      check_dataset(model, **other, "evaluate");
    }
  }
  return Trainer(communicator, model, settings, train, validation, test).run();
}

}  // namespace lockstep
