#include "train/job.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bitset>
#include <numeric>
#include <set>

#include "data/sha256.hpp"
#include "plan/lane_price.hpp"
#include "runtime/cores.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

constexpr const char* kValidation = "validation";

/// False where the data are others and that is accepted.
bool check_same_data(std::string_view what, const std::string& stored, const std::string& now, bool accept_changed_data) {
  constexpr std::size_t kDigits = 12;
  if (stored != now && !accept_changed_data) {
    throw DataError(
        fmt::format("the {} is not the one that this run folder's checkpoint was made with (checksum {}… then, {}… now).\n"
                    "  Give that one, or another --run; or go on with this one: --accept-changed-data.",
                    what, stored.substr(0, kDigits), now.substr(0, kDigits)));
  }
  return stored == now;
}

/// Everyone's texts of one length, in rank order.
std::vector<std::string> gather_texts(Communicator& communicator, const std::string& mine, std::string_view what) {
  std::vector<char> all(mine.size() * static_cast<std::size_t>(communicator.size()));
  communicator.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)), {what});
  std::vector<std::string> texts;
  for (int w = 0; w < communicator.size(); ++w) {
    texts.emplace_back(all.data() + static_cast<std::size_t>(w) * mine.size(), mine.size());
  }
  return texts;
}

std::vector<std::string> who_differs(const Communicator& communicator, const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (int w = 1; w < communicator.size(); ++w) {
    if (texts[static_cast<std::size_t>(w)] != texts[0]) {
      names.push_back(fmt::format("rank {} ({})", w, communicator.host(w)));
    }
  }
  return names;
}

/// What a worker tells the others of itself.
struct WorkerShape {
  int threads = 1;
  bool share = true;
  std::bitset<1024> cores;  ///< that its process may use
};

/// Threads of those of the workers 0 … end−1 but this one that may use a core which this one may use.
int threads_on_same_cores(const Communicator& communicator, std::span<const WorkerShape> all, int end) {
  const int rank = communicator.rank();
  int threads = 0;
  for (int w = 0; w < end; ++w) {
    const WorkerShape& other = all[static_cast<std::size_t>(w)];
    const bool same = communicator.host(w) == communicator.host(rank) && (other.cores & all[static_cast<std::size_t>(rank)].cores).any();
    threads += w != rank && same ? other.threads : 0;
  }
  return threads;
}

/// Whether this worker has a core for each thread, no more, and none that another worker of its machine may use.
bool has_cores_alone(const Communicator& communicator, std::span<const WorkerShape> all) {
  const WorkerShape& mine = all[static_cast<std::size_t>(communicator.rank())];
  return threads_on_same_cores(communicator, all, communicator.size()) == 0 && mine.cores.count() == static_cast<std::size_t>(mine.threads);
}

/// A core for each thread of this worker, past those of the workers before it that may use the same.
std::vector<int> cores_for(const Communicator& communicator, std::span<const WorkerShape> all) {
  const int rank = communicator.rank();
  const WorkerShape& mine = all[static_cast<std::size_t>(rank)];
  const int taken = threads_on_same_cores(communicator, all, rank);
  const std::vector<int>& cores = process_cores();
  if (taken + mine.threads > static_cast<int>(cores.size())) {
    throw UsageError(
        fmt::format("--pin on: rank {} ({}) may use {} cores, too few for its {} threads and the {} of the workers before it there", rank,
                    communicator.host(rank), cores.size(), mine.threads, taken));
  }
  return {cores.begin() + taken, cores.begin() + taken + mine.threads};
}

/// One short hash a tensor, one after the other.
std::string tensor_hashes(const std::vector<NamedTensor>& tensors) {
  constexpr std::size_t kDigits = 16;
  std::string all;
  for (const NamedTensor& tensor : tensors) {
    all += sha256_hex(std::as_bytes(std::span(tensor.values))).substr(0, kDigits);
  }
  return all;
}

}  // namespace

JobShape agree_on_job(Communicator& communicator, const Model& model, const TrainSettings& settings) {
  JobShape job;
  job.lanes = settings.lanes > 0 ? settings.lanes : default_lanes(model, settings.batch);
  job.threads = settings.threads;
  job.reduce = settings.reduce;
  job.top_k = settings.top_k;
  job.label_scale = settings.label_scale;
  WorkerShape mine{settings.threads, settings.share, {}};
  for (const int core : process_cores()) {
    mine.cores.set(static_cast<std::size_t>(core));
  }
  const std::vector<WorkerShape> all = gather(communicator, mine, "the number of threads");
  job.threads_per_worker.clear();
  for (const WorkerShape& worker : all) {
    job.threads_per_worker.push_back(worker.threads);
    job.share = job.share && worker.share;
  }
  if (settings.pin == Pin::on || (settings.pin == Pin::alone && has_cores_alone(communicator, all))) {
    job.cores = cores_for(communicator, all);
  }
  if (job.lanes > settings.batch) {
    throw UsageError(fmt::format("--lanes {} is more than --batch {}: some lanes would never have a sample.", job.lanes, settings.batch));
  }
  if (communicator.size() > job.lanes) {
    throw UsageError(
        fmt::format("{0} workers are too many for a run in {1} {2}: a lane is the least that a worker can do.\n"
                    "  Start at most {1}, or give --lanes {0} (another experiment: other bits).",
                    communicator.size(), job.lanes, job.lanes == 1 ? "lane" : "lanes"));
  }
  return job;
}

void check_dataset(const Model& model, const Dataset& dataset, const std::string& program) {
  check_fields(model, converted_fields(dataset), program);
  const Graph& evaluate = model.program("evaluate");
  for (const Node& node : evaluate.nodes()) {
    if (node.op->name() == "softmax_cross_entropy" && evaluate.node(node.inputs[1].node).op == &leaf::input()) {
      check_labels(dataset, evaluate.type(node.inputs[0]).shape[-1], evaluate.node(node.inputs[1].node).attrs.text("name"));
    }
  }
  const bool several = Metrics(model).task() == Metrics::Task::several;
  if (several && dataset.has_field("labels") && dataset.field("labels").dtype == DType::i32) {
    check_labels(dataset, 2);
  }
}

std::vector<Field> inputs_of(const Model& model, const std::string& program) {
  std::vector<Field> fields;
  for (const Node& node : model.program(program).nodes()) {
    if (node.op == &leaf::input()) {
      std::vector<std::int64_t> sample = node.outputs[0].shape.dims();
      sample.erase(sample.begin());
      fields.push_back({node.attrs.text("name"), Shape(std::move(sample)), node.outputs[0].dtype});
    }
  }
  return fields;
}

void check_fields(const Model& model, std::span<const Field> fields, const std::string& program) {
  for (const Field& wanted : inputs_of(model, program)) {
    const auto field = std::ranges::find(fields, wanted.name, &Field::name);
    if (field == fields.end()) {
      throw DataError(fmt::format("the model reads '{}', which the dataset does not have", wanted.name));
    }
    if (field->sample != wanted.sample || field->dtype != wanted.dtype) {
      throw DataError(
          fmt::format("the model reads '{}' as {} {}, but the dataset has {} {}.\n"
                      "  Of HDF5 files made elsewhere: PATH:one-hot takes rows of zeros and a one as classes, :index takes whole numbers "
                      "(classes, tokens), :real takes numbers to compute with, :nhwc puts channels first.",
                      wanted.name, name_of(wanted.dtype), wanted.sample.str(), name_of(field->dtype), field->sample.str()));
    }
  }
}

std::string agree_on_fingerprint(Communicator& communicator, const std::string& mine) {
  const std::vector<std::string> different = who_differs(communicator, gather_texts(communicator, mine, "comparing machines"));
  if (!different.empty()) {
    throw UsageError(
        fmt::format("{}: a lane's step gives other bits there than on rank 0 ({}), so the model could not be the same.\n"
                    "  Use nodes with the same kind of processor and the same libraries.",
                    fmt::join(different, ", "), communicator.host(0)));
  }
  return mine;
}

void agree_on_experiment(Communicator& communicator, const std::string& text) {
  const std::vector<std::string> different =
      who_differs(communicator, gather_texts(communicator, sha256_hex(std::as_bytes(std::span(text))), "comparing options and data"));
  if (!different.empty()) {
    throw UsageError(
        fmt::format("{}: other options, another model or other data than on rank 0 ({}).\n"
                    "  Start every worker with the same options; compare the copies of the dataset with lockstep inspect.",
                    fmt::join(different, ", "), communicator.host(0)));
  }
}

void check_finite(const FlatLayout& layout, std::span<const float> flat) {
  if (const auto tensor = first_non_finite(layout, flat)) {
    throw Diverged(
        fmt::format("the update made {} infinite or NaN.\n"
                    "  A smaller --lr is the usual cure. The last checkpoint, if there is one, is kept.",
                    *tensor));
  }
}

nlohmann::ordered_json describe_experiment(const TrainSettings& settings, int lanes, OrderKind order, const std::string& validation) {
  nlohmann::ordered_json json{{"batch", settings.batch},
                              {"lanes", lanes},
                              {"seed", settings.seed},
                              {"limit", settings.limit},
                              {"validation-fraction", settings.validation_fraction},
                              {kValidation, validation},
                              {"model changes", settings.model_changes},
                              {"schedule", settings.schedule.text()},
                              {"warmup", settings.schedule.warmup},
                              {"patience", settings.patience},
                              {"min-delta", settings.min_delta},
                              {"order", name_of(order)},
                              {"reduce", settings.reduce == ReduceMode::exact ? "exact" : "arrival"}};
  json.update(settings.recipe.json());
  if (settings.schedule.depends_on_length()) {
    json["epochs"] = settings.epochs;
    json["steps"] = settings.steps;
  }
  return json;
}

bool check_same_run(const Checkpoint& checkpoint, const Model& model, const nlohmann::ordered_json& experiment,
                    const std::string& dataset_checksum, bool accept_changed_data, const FlatLayout& layout) {
  if (const auto difference = first_difference(checkpoint.parameters, layout)) {
    throw UsageError(fmt::format("the checkpoint in this run folder is of another model: {}\n  Give another --run.", *difference));
  }
  for (const auto& [key, value] : experiment.items()) {
    const auto found = checkpoint.settings.find(key);
    const nlohmann::ordered_json stored = found == checkpoint.settings.end() ? nlohmann::ordered_json() : *found;
    if (key == kValidation && stored.is_string() && stored != "" && value != "") {
      static_cast<void>(check_same_data("validation set", stored.get<std::string>(), value.get<std::string>(), accept_changed_data));
    } else if (stored != value) {
      throw UsageError(fmt::format(
          "the checkpoint in this run folder was made with {} {}, and now {} is asked for: that is another experiment.\n"
          "  Give the same options{}, or another --run.",
          key, stored.is_null() ? "unknown" : stored.dump(), value.dump(), key == "lanes" ? " and --lanes " + stored.dump() : ""));
    }
  }
  if (checkpoint.model != model.json()) {
    throw UsageError("the checkpoint in this run folder is of another model (same parameters, other ops).\n  Give another --run.");
  }
  return check_same_data("dataset", checkpoint.dataset_checksum, dataset_checksum, accept_changed_data);
}

void check_same_machine(const std::string& stored, const std::string& mine, bool accept_other_machine) {
  if (stored != mine && !accept_other_machine) {
    throw CheckpointError(
        "this machine's processor or libraries give other bits than those that made the checkpoint.\n"
        "  Go on where it was made, or with --accept-other-machine (the model will differ in its last bits).");
  }
}

std::optional<Checkpoint> share_checkpoint(Communicator& communicator, const std::optional<Checkpoint>& mine) {
  std::vector<std::byte> bytes = mine ? serialize(*mine) : std::vector<std::byte>();
  share(communicator, bytes, "the checkpoint");
  return bytes.empty() ? std::nullopt : std::optional(parse(bytes, "the checkpoint"));
}

std::string agree_on_parameters(Communicator& communicator, const FlatLayout& layout, std::span<const float> flat) {
  const std::vector<NamedTensor> tensors = to_tensors(layout, flat);
  std::string mine = parameter_hash(tensors);
  const std::vector<std::string> different = who_differs(communicator, gather_texts(communicator, mine, "comparing parameters"));
  if (different.empty()) {
    return mine;
  }
  const std::vector<std::string> each = gather_texts(communicator, tensor_hashes(tensors), "comparing tensors");
  const std::size_t digits = each[0].size() / tensors.size();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    for (const std::string& theirs : each) {
      if (theirs.compare(t * digits, digits, each[0], t * digits, digits) != 0) {
        throw Error(ExitCode::worker_lost, fmt::format("the workers' copies have drifted apart: {} differs on {} from rank 0 ({}).\n"
                                                       "  That is a fault of a machine (memory, processor) or of Lockstep; the last "
                                                       "checkpoint is from before.",
                                                       tensors[t].name, fmt::join(different, ", "), communicator.host(0)));
      }
    }
  }
  return mine;
}

std::string describe_job(const Communicator& communicator, const Model& model, const JobShape& job, std::int64_t batch,
                         const FlatLayout& layout) {
  std::set<std::string> hosts;
  for (int w = 0; w < communicator.size(); ++w) {
    hosts.insert(communicator.host(w));
  }
  const int threads = std::accumulate(job.threads_per_worker.begin(), job.threads_per_worker.end(), 0);
  const auto counted = [](auto n, const char* what) { return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s"); };
  std::string text = fmt::format(
      "{} parameters in {}; {} ({}) on {}; batch {} in {} of {:.4g} samples, "
      "price of lanes {:.2f} (a step's estimated time over that in one lane)",
      model.parameter_count(), counted(layout.buckets.size(), "bucket"), counted(communicator.size(), "worker"), counted(threads, "thread"),
      hosts.size() <= 4 ? fmt::format("{}", fmt::join(hosts, ", ")) : counted(hosts.size(), "host"), batch, counted(job.lanes, "lane"),
      static_cast<double>(batch) / job.lanes, estimated_price(lane_cost(model), batch, job.lanes));
  if (model.least_lane() > 1 && job.lanes > 1) {
    text += fmt::format("\nbatch norm sees one lane: {:.4g} samples, not {}", static_cast<double>(batch) / job.lanes, batch);
  }
  if (!job.cores.empty()) {
    text += fmt::format("\neach thread of rank 0 stays on a core of its own: {}", fmt::join(job.cores, ", "));
  }
  if (threads > job.lanes) {
    text += fmt::format("\nwarning: {} threads are more than {}; there is nothing to do for {} of them", threads,
                        counted(job.lanes, "lane"), threads - job.lanes);
  }
  return text;
}

std::string describe_epoch(const EpochRow& row, std::uint64_t epochs) {
  std::string text = fmt::format("epoch {}/{}  train loss {:.4f}", row.epoch, epochs, row.train_loss);
  if (row.penalty > 0) {
    text += fmt::format("  penalty {:.4f}  objective {:.4f}", row.penalty, row.train_loss + row.penalty);
  }
  if (row.validation_loss) {
    text += fmt::format("  validation loss {:.4f}", *row.validation_loss);
    for (const Figure& figure : row.figures) {
      text += fmt::format(", {} {:.4f}", figure.name, figure.value);
    }
  }
  return text +
         fmt::format("  {:.0f} samples/s  {:.1f} s  data wait {:.1f} %", row.samples_per_second, row.seconds, 100 * row.data_wait_share);
}

}  // namespace lockstep
