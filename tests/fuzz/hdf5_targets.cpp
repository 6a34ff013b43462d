// Readers of HDF5: datasets of ours and made elsewhere, and checkpoints whose hash is right.
#include <algorithm>
#include <cstring>

#include "data/describe_data.hpp"
#include "data/sha256.hpp"
#include "formats/inspect.hpp"
#include "formats/summary.hpp"
#include "fuzz/hdf5_file.hpp"
#include "lockstep/nn.hpp"
#include "train/checkpoint.hpp"
#include "train/run_folder.hpp"

namespace lockstep::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostChunks = 64;

/// As training and `inspect` do, as far as a small file needs.
void read_dataset(const Dataset& dataset) {
  for (std::size_t c = 0; c < std::min(kMostChunks, dataset.chunks().size()); ++c) {
    static_cast<void>(dataset.read_chunk(c));
  }
  if (dataset.chunks().size() > kMostChunks) {
    return;
  }
  static_cast<void>(inspect_dataset(dataset, {}));
  if (dataset.has_field("labels") && dataset.field("labels").dtype == DType::i32) {
    check_labels(dataset, 3);
  }
}

FileDescription shard() {
  return {{{"/features", H5T_STD_U8LE, {6, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 255}, 2},
           {"/labels", H5T_STD_I32LE, {6}, {0, 1, 2, 0, 1, 2}, 2},
           {"/weight", H5T_IEEE_F32LE, {6}, {1, 1, 1, 2, 1, 1}, 2}},
          {{"lockstep_format", kDatasetFormat},
           {"rows", std::int64_t{6}},
           {"shard", std::int64_t{0}},
           {"shards", std::int64_t{1}},
           {"classes", std::vector<std::string>{"a", "b", "c"}},
           {"mean", std::vector<double>{3.5}},
           {"std", std::vector<double>{2.0}},
           {"mean:weight", std::vector<double>{0.0}},
           {"std:weight", std::vector<double>{1.0}},
           {"checksum", std::string("0123")}}};
}

void run_dataset(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const Bytes image = hdf5_file(shard(), input);
  scratch_file("shard-00000.h5", image);
  read_dataset(Dataset::open(scratch()));
}

FileDescription elsewhere() {
  return {{{"/source", H5T_IEEE_F64LE, {6, 2}, {1, 2, 3, 4, 5, 6}},
           {"/x", H5T_IEEE_F64LE, {6, 2}, {1, 2, 3, 4, 5, 6}},
           {"/images", H5T_STD_U8LE, {6, 2, 2, 3}, {1, 2, 3}, 3},
           {"/group/y", H5T_STD_I64LE, {6, 1}, {0, 1, 2, 0, 1, 2}},
           {"/w", H5T_IEEE_F32LE, {6}, {1, 1, 1, 1, 1, 1}}},
          {}};
}

/// The first byte says how to take the fields; a bit each.
void run_elsewhere(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  const Bytes image = hdf5_file(elsewhere(), input);
  const fs::path file = scratch_file("elsewhere.h5", image);
  static_cast<void>(inspect(file));
  const auto way = [&](const char* path, unsigned bit, const char* more) { return std::string(path) + ((how & bit) != 0 ? more : ""); };
  DataFiles files{{file}, {FieldSource::parse(way("features=/x", 1, ":raw"), Role::input)}};
  files.sources.push_back(FieldSource::parse(way("images=/images", 2, ":nhwc"), Role::input));
  files.sources.push_back(FieldSource::parse(way(way("/group/y", 4, ":one-hot").c_str(), 8, ":index"), Role::target));
  if ((how & 16) != 0) {
    files.sources.push_back(FieldSource::parse("/w", Role::weight));
  }
  if ((how & 32) != 0) {
    files.files.push_back(file);
  }
  measure(files);
  read_dataset(Dataset::open(files));
}

/// Of a step of a small model, as `serialize` writes it.
FileDescription checkpoint() {
  ModelOptions options;
  options.sample = Shape{2};
  options.hidden = {};
  options.classes = 2;
  const std::string model = build_model(options).json();
  return {
      {text_set("/model", model),
       text_set("/progress", R"({"epoch_loss": 0.5, "history": [{"epoch": 1, "step": 2, "train_loss": {"non-finite": "nan"}, "penalty": 0,)"
                             R"( "validation_loss": null, "learning_rate": 0.1, "parameter_hash": "00"}]})"),
       text_set("/settings", R"({"data": {"fields": [{"name": "features", "mean": [0], "std": [1], "role": "input", "source": "/x"}]}})"),
       text_set("/parameters_order", R"(["layers.0.weight", "layers.0.bias"])"),
       text_set("/optimizer_order", R"(["momentum/layers.0.bias"])"),
       {"/parameters/layers.0.weight", H5T_IEEE_F32LE, {2, 2}, {1, 2, 3, 4}},
       {"/parameters/layers.0.bias", H5T_IEEE_F32LE, {2}, {1, 2}},
       {"/optimizer/momentum/layers.0.bias", H5T_IEEE_F32LE, {2}, {1, 2}}},
      {{"lockstep_checkpoint", std::int64_t{1}},
       {"epoch", std::int64_t{1}},
       {"step_in_epoch", std::int64_t{0}},
       {"step", std::int64_t{2}},
       {"fingerprint", std::string("f")},
       {"dataset_checksum", std::string("d")}}};
}

/// The trailer that makes any image a checkpoint whose hash is right.
std::vector<std::byte> sealed(const Bytes& image) {
  const auto bytes = std::as_bytes(std::span(image));
  Sha256 hash;
  hash.update(bytes);
  const std::array<std::byte, 32> digest = hash.finish();
  const std::uint64_t length = image.size();
  std::vector<std::byte> all(bytes.begin(), bytes.end());
  const auto append = [&](std::span<const std::byte> more) { all.insert(all.end(), more.begin(), more.end()); };
  append(std::as_bytes(std::span(std::string_view("lockstep-sha256:"))));
  append(digest);
  append(std::as_bytes(std::span(&length, 1)));
  all.resize(all.size() + 8);
  return all;
}

/// The first byte is 255 where the rest are a file's bytes as they are, without its hash.
void run_checkpoint(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  if (input.byte() == UINT8_MAX) {
    static_cast<void>(parse(std::as_bytes(input.rest()), "a checkpoint"));
    return;
  }
  const Checkpoint found = parse(sealed(hdf5_file(checkpoint(), input)), "a checkpoint");
  static_cast<void>(model_of(found));
  static_cast<void>(files_like(found.settings.is_object() ? found.settings.value("data", nlohmann::ordered_json()) : found.settings, {}));
  if (found.progress.is_object() && found.progress.contains("history")) {
    for (const auto& row : found.progress["history"]) {
      static_cast<void>(EpochRow::from_json(row));
    }
  }
  static_cast<void>(Model::from_json(found.model));
}

/// Nothing changed, and each of the first changes to the first few things of the file.
std::vector<Bytes> changed(std::size_t sets, const Bytes& begin) {
  std::vector<Bytes> seeds{begin};
  for (std::size_t set = 0; set < sets; ++set) {
    for (std::uint8_t change = 1; change < 16; ++change) {
      for (const std::uint8_t how : std::initializer_list<std::uint8_t>{1, 139}) {  // small, 2^60
        seeds.push_back(joined({begin, Bytes(set, 0), {change, how, how, how}}));
      }
    }
  }
  return seeds;
}

std::vector<Bytes> dataset_seeds() {
  std::vector<Bytes> seeds = changed(2, {});
  for (std::size_t attribute = 0; attribute < shard().attributes.size(); ++attribute) {
    for (std::uint8_t what = 0; what < 8; ++what) {
      seeds.push_back(joined({Bytes(3 + attribute, 0), {1, 1, what, 0, 140, 1}}));
    }
  }
  return seeds;
}

std::vector<Bytes> elsewhere_seeds() {
  std::vector<Bytes> seeds = changed(3, {0});
  for (std::uint8_t how = 1; how < 64; ++how) {
    seeds.push_back({how});
  }
  return seeds;
}

std::vector<Bytes> checkpoint_seeds() {
  std::vector<Bytes> seeds = changed(6, {0});
  const auto with_text = [&](std::size_t set, const std::string& text) {
    seeds.push_back(joined({{0}, Bytes(set, 0), {13, static_cast<std::uint8_t>(text.size())}, bytes_of(text)}));
  };
  for (const std::size_t set : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    for (const char* const text :
         {"", "[", "{}", "[[]]", "null", "1e999", R"({"non-finite": 3})", R"({"history": 3, "data": 4})", R"(["no"])"}) {
      with_text(set, text);
    }
    with_text(set, std::string(250, '['));
    with_text(set, std::string(125, '[') + std::string(125, ']'));
  }
  Checkpoint small;
  small.model = "m";
  const std::vector<std::byte> whole = serialize(small);
  Bytes raw{UINT8_MAX};
  for (const std::byte byte : whole) {
    raw.push_back(static_cast<std::uint8_t>(byte));
  }
  seeds.push_back(std::move(raw));
  return seeds;
}

}  // namespace

const Target kDataset{"dataset", run_dataset, dataset_seeds};
const Target kElsewhere{"elsewhere", run_elsewhere, elsewhere_seeds};
const Target kCheckpoint{"checkpoint", run_checkpoint, checkpoint_seeds};

}  // namespace lockstep::fuzz
