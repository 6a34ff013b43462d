#include "train/checkpoint.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>

#include "data/hdf5.hpp"
#include "data/sha256.hpp"
#include "lockstep/error.hpp"
#include "scratch_folder.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

Checkpoint checkpoint_at(std::uint64_t step) {
  Checkpoint c;
  c.model = R"({"nodes": []})";
  c.parameters = {{"fc.weight", {2, 3}, {1, -2, 3, 4, 5, std::numeric_limits<float>::denorm_min()}},
                  {"fc.bias", {2}, {0.1F, -0.0F}},
                  {"bn.count", {}, {7}},
                  {"empty", {0, 4}, {}}};
  c.optimizer = {{"momentum/fc.weight", {2, 3}, {6, 5, 4, 3, 2, 1}}, {"momentum/fc.bias", {2}, {0, 1}}};
  c.epoch = 3;
  c.step_in_epoch = 17;
  c.step = step;
  c.progress = {{"loss_sum", 0.1 + 0.2}, {"tiny", 5e-324}, {"history", {{{"epoch", 1}, {"loss", 1.0 / 3}}}}};
  c.settings = {{"seed", std::uint64_t{18446744073709551615U}}, {"batch", 64}, {"name", "ü"}};
  c.fingerprint = std::string(64, 'f');
  c.dataset_checksum = "";
  return c;
}

std::string parse_error(std::span<const std::byte> bytes) {
  return what_throws<CheckpointError>([&] { static_cast<void>(parse(bytes, "checkpoints/step-000000123.h5")); });
}

void ignore(const std::string&) {}

TEST(Checkpoint, ReadsBackWhatWasWritten) {
  const Checkpoint c = checkpoint_at(123);
  const Checkpoint back = parse(serialize(c), "x");
  EXPECT_EQ(back, c);
  EXPECT_TRUE(std::signbit(back.parameters[1].values[1]));
  EXPECT_EQ(back.progress.dump(), c.progress.dump()) << "the order of keys too";
}

TEST(Checkpoint, AnEmptyOneToo) { EXPECT_EQ(parse(serialize({}), "x"), Checkpoint{}); }

TEST(Checkpoint, ManyTensorsKeepTheirOrder) {
  Checkpoint c;
  for (int i = 0; i < 100; ++i) {
    c.parameters.push_back({"layer" + std::to_string(i) + ".weight", {3}, {static_cast<float>(i), 1, 2}});
  }
  EXPECT_EQ(parse(serialize(c), "x"), c);
  EXPECT_EQ(serialize(c), serialize(c));
}

TEST(Checkpoint, NonFiniteNumbersSurviveInJson) {
  Checkpoint c;
  c.progress = {{"best", HUGE_VAL}, {"list", {-HUGE_VAL, 1.5, std::nan("")}}};
  const Json back = parse(serialize(c), "x").progress;
  EXPECT_EQ(back["best"].get<double>(), HUGE_VAL);
  EXPECT_EQ(back["list"][0].get<double>(), -HUGE_VAL);
  EXPECT_EQ(back["list"][1].get<double>(), 1.5);
  EXPECT_TRUE(std::isnan(back["list"][2].get<double>()));
  c.progress = std::nan("");
  EXPECT_TRUE(std::isnan(parse(serialize(c), "x").progress.get<double>()));
}

TEST(Checkpoint, TheSameContentsGiveTheSameBytes) {
  const std::vector<std::byte> first = serialize(checkpoint_at(123));
  const std::vector<std::byte> other = serialize(checkpoint_at(124));
  EXPECT_EQ(serialize(checkpoint_at(123)), first);
  EXPECT_NE(other, first);
}

TEST(Checkpoint, IsAnHdf5FileThatOthersCanOpen) {
  const ScratchFolder scratch;
  write_whole_file(scratch / "c.h5", serialize(checkpoint_at(123)));
  const Hdf5File file = Hdf5File::open(scratch / "c.h5");
  EXPECT_EQ(file.integer_attribute("step"), 123);
  EXPECT_EQ(file.storage("/parameters/fc.weight").dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.read<float>("/optimizer/momentum/fc.bias"), (std::vector<float>{0, 1}));
}

TEST(Checkpoint, AFlippedBitAnywhereIsFound) {
  std::vector<std::byte> bytes = serialize(checkpoint_at(123));
  const std::size_t stride = bytes.size() / 40 | 1;
  std::vector<std::size_t> places{0, 1, 8, bytes.size() - 65};
  for (std::size_t at = 0; at < bytes.size(); at += stride) {
    places.push_back(at);
  }
  for (std::size_t at = bytes.size() - 64; at < bytes.size(); ++at) {  // the whole trailer
    places.push_back(at);
  }
  for (const std::size_t at : places) {
    bytes[at] ^= std::byte{16};
    EXPECT_TRUE(parse_error(bytes).starts_with("checkpoints/step-000000123.h5 is damaged (")) << at;
    bytes[at] ^= std::byte{16};
  }
  EXPECT_EQ(parse(bytes, "x"), checkpoint_at(123));
}

TEST(Checkpoint, ACutFileIsFound) {
  const std::vector<std::byte> bytes = serialize(checkpoint_at(123));
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, bytes.size() / 2,
                                   bytes.size() - 64, bytes.size() - 1}) {
    EXPECT_NE(parse_error(std::span(bytes).first(length)).find(" is damaged ("), std::string::npos) << length;
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_NE(parse_error(longer).find(" is damaged ("), std::string::npos);
}

TEST(Checkpoint, RefusesTensorsThatDoNotFit) {
  Checkpoint c;
  c.parameters = {{"a", {2}, {1}}};
  EXPECT_THROW(static_cast<void>(serialize(c)), UsageError);
  c.parameters = {{"a", {1}, {1}}, {"a", {1}, {1}}};
  EXPECT_THROW(static_cast<void>(serialize(c)), UsageError);
  c.parameters = {{"", {1}, {1}}};
  EXPECT_THROW(static_cast<void>(serialize(c)), UsageError);
}

TEST(Checkpoint, NamesTheFirstDifference) {
  const std::vector<NamedTensor> stored{{"a", {1}, {1}}, {"b", {2}, {1, 2}}};
  const auto wanted = [](const std::vector<std::pair<std::string, Shape>>& tensors) {
    FlatLayout layout;
    for (const auto& [name, shape] : tensors) {
      layout.tensors.push_back({name, shape, 0, shape.elements(), true, 0, true, {}});
    }
    return layout;
  };
  EXPECT_EQ(first_difference(stored, wanted({{"b", {2}}, {"a", {1}}})), std::nullopt);
  EXPECT_EQ(first_difference(stored, wanted({{"a", {1}}, {"b", {3}}})), "the parameter 'b' is [2] in the checkpoint, but [3] in the model");
  EXPECT_EQ(first_difference(stored, wanted({{"c", {4}}})),
            "the model has the parameter 'c' [4], but the checkpoint has none of that name");
  EXPECT_EQ(first_difference(stored, wanted({{"a", {1}}})),
            "the checkpoint has the parameter 'b' [2], but the model has none of that name");
}

void write(CheckpointStore& store, const Checkpoint& checkpoint, bool best) {
  const auto shared = std::make_shared<const Checkpoint>(checkpoint);
  store.write(shared, best ? shared : nullptr);
}

/// What a version of Lockstep that writes another format may leave.
std::vector<std::byte> of_format(std::int64_t format) {
  Hdf5File file = Hdf5File::create_in_memory();
  file.set_attribute("lockstep_checkpoint", format);
  std::vector<std::byte> bytes = file.image();
  Sha256 hash;
  hash.update(bytes);
  const std::array<std::byte, 32> digest = hash.finish();
  const std::uint64_t length = bytes.size();
  std::vector<std::byte> trailer = bytes_of("lockstep-sha256:");
  trailer.insert(trailer.end(), digest.begin(), digest.end());
  trailer.resize(64);
  std::memcpy(trailer.data() + 48, &length, sizeof length);
  bytes.insert(bytes.end(), trailer.begin(), trailer.end());
  return bytes;
}

TEST(CheckpointStore, OneOfANewerVersionIsNoDamage) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 3);
  write(store, checkpoint_at(1), false);
  store.wait();
  write_whole_file(run / "checkpoints/step-000000002.h5", of_format(2));
  const std::string what = what_throws<NewerCheckpoint>([&] { static_cast<void>(store.load_latest(ignore)); });
  EXPECT_NE(what.find("step-000000002.h5 was written by a newer version of Lockstep"), std::string::npos) << what;
}

TEST(CheckpointStore, TellsOfEachWriteOnce) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 3);
  EXPECT_FALSE(store.ended());
  write(store, checkpoint_at(7), true);
  store.wait();
  const auto written = store.ended();
  ASSERT_TRUE(written);
  EXPECT_EQ(written->step, 7U);
  EXPECT_EQ(written->bytes, std::filesystem::file_size(run / "checkpoints/step-000000007.h5"));
  EXPECT_FALSE(store.ended());
}

TEST(CheckpointStore, TheBestMayBeAnEarlierOne) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 3);
  store.write(std::make_shared<const Checkpoint>(checkpoint_at(9)), std::make_shared<const Checkpoint>(checkpoint_at(4)));
  store.wait();
  EXPECT_EQ(listing(run / "checkpoints"), "best.h5 step-000000009.h5");
  EXPECT_EQ(store.load_best(), checkpoint_at(4));
}

TEST(CheckpointStore, KeepsTheNewestAndTheBest) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 2);
  EXPECT_EQ(store.load_latest(ignore), std::nullopt);
  EXPECT_EQ(store.load_best(), std::nullopt);
  for (const std::uint64_t step : {5, 10, 15, 20}) {
    write(store, checkpoint_at(step), step == 10);
  }
  store.wait();
  EXPECT_EQ(listing(run / "checkpoints"), "best.h5 step-000000015.h5 step-000000020.h5");
  EXPECT_EQ(store.load_latest(ignore), checkpoint_at(20));
  EXPECT_EQ(store.load_best(), checkpoint_at(10));
}

TEST(CheckpointStore, TakesTheOneBeforeADamagedOne) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 3);
  for (const std::uint64_t step : {1, 2, 3}) {
    write(store, checkpoint_at(step), false);
  }
  store.wait();
  const std::string newest = text_of(run / "checkpoints/step-000000003.h5");
  put(run / "checkpoints/step-000000003.h5", newest.substr(0, newest.size() / 2));
  put(run / "checkpoints/step-000000002.h5", "");
  std::vector<std::string> said;
  EXPECT_EQ(store.load_latest([&](const std::string& text) { said.push_back(text); }), checkpoint_at(1));
  ASSERT_EQ(said.size(), 2U);
  EXPECT_NE(said[0].find("step-000000003.h5 is damaged ("), std::string::npos) << said[0];
  EXPECT_NE(said[1].find("step-000000002.h5 is damaged (it has only 0 bytes); taking the one before."), std::string::npos) << said[1];

  CheckpointStore next(run.path(), 3);
  write(next, checkpoint_at(2), false);  // going on from there replaces the damaged ones
  next.wait();
  EXPECT_EQ(listing(run / "checkpoints"), "step-000000001.h5 step-000000002.h5");
}

TEST(CheckpointStore, OneThatWakesAfterAnotherTookTheFolderDeletesNothingThatIsNewer) {
  const ScratchFolder run;
  CheckpointStore old(run.path(), 3), next(run.path(), 3);
  write(old, checkpoint_at(1), false);
  old.wait();
  for (const std::uint64_t step : {2, 3, 4}) {
    write(next, checkpoint_at(step), false);
  }
  next.wait();
  write(old, checkpoint_at(2), false);
  old.wait();
  EXPECT_EQ(listing(run / "checkpoints"), "step-000000002.h5 step-000000003.h5 step-000000004.h5");
}

TEST(CheckpointStore, DoesNotStartAnewWhenAllAreDamaged) {
  const ScratchFolder run;
  const CheckpointStore store(run.path(), 3);
  std::filesystem::create_directories(run / "checkpoints");
  put(run / "checkpoints/step-000000001.h5", "no checkpoint");
  put(run / "checkpoints/best.h5", "no checkpoint");
  EXPECT_NE(what_throws<CheckpointError>([&] { static_cast<void>(store.load_latest(ignore)); }).find("none of the 1 checkpoints"),
            std::string::npos);
  EXPECT_THROW(static_cast<void>(store.load_best()), CheckpointError);
}

TEST(CheckpointStore, LooksAtItsOwnFilesOnlyAndClearsAwayWhatAKilledProcessLeft) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 1);
  std::filesystem::create_directories(run / "checkpoints");
  put(run / "checkpoints/step-000000009.h5.tmp", "half");
  put(run / "checkpoints/step-x.h5", "");
  put(run / "checkpoints/notes.txt", "");
  EXPECT_EQ(store.load_latest(ignore), std::nullopt);
  write(store, checkpoint_at(1), false);
  store.wait();
  EXPECT_EQ(listing(run / "checkpoints"), "notes.txt step-000000001.h5 step-x.h5");
}

/// While it lives, no file can grow beyond so many bytes, as on a full disk.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit now{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(CheckpointStore, AFailedWriteIsReportedAndLeavesNoHalfFile) {
  const ScratchFolder run;
  CheckpointStore store(run.path(), 2);
  write(store, checkpoint_at(1), true);
  store.wait();
  {
    const SmallFiles limit(1000);
    write(store, checkpoint_at(2), true);
    const std::string what = what_throws<CheckpointError>([&] { store.wait(); });
    EXPECT_NE(what.find("checkpoints/best.h5 cannot be written: File too large.\n  Make room there"), std::string::npos) << what;
    write(store, checkpoint_at(3), false);
    EXPECT_THROW(write(store, checkpoint_at(4), false), CheckpointError);
    EXPECT_NO_THROW(store.wait()) << "each failure is thrown once";
  }
  EXPECT_EQ(listing(run / "checkpoints"), "best.h5 step-000000001.h5");
  EXPECT_EQ(store.load_latest(ignore), checkpoint_at(1));
  EXPECT_EQ(store.load_best(), checkpoint_at(1));
  write(store, checkpoint_at(2), false);
  store.wait();
  EXPECT_EQ(store.load_latest(ignore), checkpoint_at(2));
}

TEST(CheckpointStore, AFolderThatCannotBeMadeIsReported) {
  const ScratchFolder run;
  put(run / "checkpoints", "a file");
  CheckpointStore store(run.path(), 2);
  write(store, checkpoint_at(1), false);
  EXPECT_THROW(store.wait(), CheckpointError);
}

TEST(WholeFile, AFailedWriteKeepsTheOldFile) {
  const ScratchFolder scratch;
  write_whole_file(scratch / "f", "old");
  append_to_file(scratch / "log", "one\n");
  {
    const SmallFiles limit(100);
    EXPECT_THROW(write_whole_file(scratch / "f", std::string(1000, 'x')), CheckpointError);
    EXPECT_THROW(append_to_file(scratch / "log", std::string(1000, 'x')), CheckpointError);
  }
  EXPECT_EQ(text_of(scratch / "f"), "old");
  EXPECT_EQ(text_of(scratch / "log"), "one\n");
  EXPECT_EQ(listing(scratch.path()), "f log");
}

TEST(WholeFile, AnyLengthReadsBack) {
  const ScratchFolder scratch;
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{8192}, (std::size_t{4} << 20) - 1,
                                   std::size_t{4} << 20, (std::size_t{4} << 20) + 1, (std::size_t{8} << 20) + 4096}) {
    const std::string text(length, 'y');
    write_whole_file(scratch / "f", text);
    EXPECT_EQ(read_whole_file(scratch / "f"), bytes_of(text)) << length;
  }
  EXPECT_THROW(static_cast<void>(read_whole_file(scratch / "absent")), CheckpointError);
  EXPECT_THROW(static_cast<void>(read_whole_file(scratch.path())), CheckpointError);
}

}  // namespace
}  // namespace lockstep
