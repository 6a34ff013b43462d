#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "train/checkpoint.hpp"
#include "train/run_folder.hpp"
#include "train/step_engine.hpp"
#include "train/trainer.hpp"

/// What the workers of a job agree on before and between the steps. Every function here that takes a communicator must be called by
/// every worker.
namespace lockstep {

/// Lanes by default or as asked, and every worker's threads.
[[nodiscard]] JobShape agree_on_job(Communicator& communicator, const Model& model, const TrainSettings& settings);

/// What a program of a model reads, as a dataset's fields.
[[nodiscard]] std::vector<Field> inputs_of(const Model& model, const std::string& program = "train");

/// Throws DataError naming the input of the program that the dataset lacks or whose type differs, or the label that is no class of the
/// model.
void check_dataset(const Model& model, const Dataset& dataset, const std::string& program = "train");
void check_fields(const Model& model, std::span<const Field> fields, const std::string& program = "train");

/// Returns the fingerprint if all workers have the same. Throws UsageError naming the workers that differ from rank 0.
std::string agree_on_fingerprint(Communicator& communicator, const std::string& mine);

/// Throws UsageError naming the workers whose options, model or data (`text` says all of it) differ from rank 0's.
void agree_on_experiment(Communicator& communicator, const std::string& text);

/// Throws Diverged naming the first tensor with a value that is not finite, so that none is ever written.
void check_finite(const FlatLayout& layout, std::span<const float> flat);

/// What makes a run this experiment and no other, beside model and training set; `validation`: that set's checksum, or nothing.
[[nodiscard]] nlohmann::ordered_json describe_experiment(const TrainSettings& settings, int lanes, OrderKind order,
                                                         const std::string& validation);

/// Throws CheckpointError naming what differs between the checkpoint's experiment and this one, or DataError where the dataset does or the
/// validation set. False where another dataset is accepted.
bool check_same_run(const Checkpoint& checkpoint, const Model& model, const nlohmann::ordered_json& experiment,
                    const std::string& dataset_checksum, bool accept_changed_data, const FlatLayout& layout);

/// Throws CheckpointError when the checkpoint was made where one lane's step gives other bits, unless that is accepted.
void check_same_machine(const std::string& stored, const std::string& mine, bool accept_other_machine);

/// Rank 0's checkpoint, if it has one, to everyone: it need not lie on a shared file system.
[[nodiscard]] std::optional<Checkpoint> share_checkpoint(Communicator& communicator, const std::optional<Checkpoint>& mine);

/// The parameter hash, if every worker's copy has the same. Throws Error naming the first tensor that differs and the workers.
[[nodiscard]] std::string agree_on_parameters(Communicator& communicator, const FlatLayout& layout, std::span<const float> flat);

/// What the user should know before the first step: workers, lanes, samples a lane, the price of lanes, warnings.
[[nodiscard]] std::string describe_job(const Communicator& communicator, const Model& model, const JobShape& job, std::int64_t batch,
                                       const FlatLayout& layout);
/// "epoch 3/10  train loss 0.2950  validation loss 0.3301, accuracy 0.8840  1234 samples/s  5.1 s  data wait 0.1 %"
[[nodiscard]] std::string describe_epoch(const EpochRow& row, std::uint64_t epochs);

}  // namespace lockstep
