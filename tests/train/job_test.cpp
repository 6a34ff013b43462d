#include "train/job.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "data/sha256.hpp"
#include "runtime/cores.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

/// One of two workers; `other` makes what the other sends of what this one sends.
class TwoWorkers final : public Communicator {
 public:
  using Bytes = std::vector<std::byte>;
  explicit TwoWorkers(std::function<Bytes(Bytes)> other, int rank = 0, std::vector<std::string> hosts = {"node01", "node02"})
      : other_(std::move(other)), rank_(rank), hosts_(std::move(hosts)) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return 2; }
  [[nodiscard]] const std::string& host(int rank) const override { return hosts_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] Request start_send(int, int, std::span<const std::byte>) override { throw UsageError("not needed here"); }
  [[nodiscard]] Request start_receive(int, int, std::span<std::byte>) override { throw UsageError("not needed here"); }
  bool test(std::span<Request>, Waiting&) override { return true; }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, Waiting) override {
    const auto size = static_cast<std::ptrdiff_t>(mine.size());
    std::ranges::copy(mine, all.begin() + rank_ * size);
    std::ranges::copy(other_(Bytes(mine.begin(), mine.end())), all.begin() + (1 - rank_) * size);
  }
  void broadcast(std::span<std::byte>, int, Waiting) override {}
  void barrier(Waiting) override {}
  [[noreturn]] void abort(ExitCode code) override { std::exit(static_cast<int>(code)); }

 private:
  std::function<Bytes(Bytes)> other_;
  int rank_;
  std::vector<std::string> hosts_;
};

TwoWorkers agreeing() {
  return TwoWorkers([](TwoWorkers::Bytes bytes) { return bytes; });
}

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

FlatLayout three_tensors() {
  FlatLayout layout;
  layout.tensors = {{"a", {4}, 0, 4, true, 0, true, {}}, {"b", {3}, 16, 3, true, 0, true, {}}, {"c", {2}, 32, 2, true, 0, true, {}}};
  layout.size = 48;
  return layout;
}

TEST(Job, EqualCopiesGiveTheirHash) {
  TwoWorkers workers = agreeing();
  const std::vector<float> flat(48, 0.5F);
  EXPECT_EQ(agree_on_parameters(workers, three_tensors(), flat), parameter_hash(to_tensors(three_tensors(), flat)));
}

TEST(Job, ADriftNamesTheTensorAndTheWorker) {
  const std::vector<float> mine(48, 0.5F);
  std::vector<float> theirs = mine;
  theirs[17] = 0.25F;  // in b
  const std::vector<NamedTensor> drifted = to_tensors(three_tensors(), theirs);
  int call = 0;
  TwoWorkers workers([&](TwoWorkers::Bytes) {
    std::string text = parameter_hash(drifted);
    if (call++ > 0) {
      text.clear();
      for (const NamedTensor& tensor : drifted) {
        text += sha256_hex(std::as_bytes(std::span(tensor.values))).substr(0, 16);
      }
    }
    const auto bytes = std::as_bytes(std::span(text));
    return TwoWorkers::Bytes(bytes.begin(), bytes.end());
  });
  const std::string message = message_of([&] { static_cast<void>(agree_on_parameters(workers, three_tensors(), mine)); });
  EXPECT_NE(message.find(": b differs on rank 1 (node02)"), std::string::npos) << message;
}

TEST(Job, AnotherMachineIsRefusedByName) {
  TwoWorkers workers([](TwoWorkers::Bytes bytes) {
    bytes[0] = std::byte{'x'};
    return bytes;
  });
  const std::string message = message_of([&] { agree_on_fingerprint(workers, std::string(64, 'a')); });
  EXPECT_NE(message.find("rank 1 (node02)"), std::string::npos) << message;
  TwoWorkers same = agreeing();
  EXPECT_EQ(agree_on_fingerprint(same, std::string(64, 'a')), std::string(64, 'a'));
}

TEST(Job, MoreWorkersThanLanesAreRefused) {
  TwoWorkers workers = agreeing();
  ModelOptions options;
  options.sample = {4};
  const Model model = build_model(options);
  TrainSettings settings;
  settings.batch = 8;
  settings.lanes = 1;
  EXPECT_NE(
      message_of([&] { static_cast<void>(agree_on_job(workers, model, settings)); }).find("2 workers are too many for a run in 1 lane:"),
      std::string::npos);
  settings.lanes = 9;
  EXPECT_NE(message_of([&] { static_cast<void>(agree_on_job(workers, model, settings)); }).find("--lanes 9"), std::string::npos);
  settings.lanes = 8;
  EXPECT_EQ(agree_on_job(workers, model, settings).lanes, 8);
}

TEST(Job, ThreadsGetCoresThatNobodyElseHas) {
  const std::vector<int> cores = process_cores();
  const auto all = static_cast<int>(cores.size());
  ModelOptions options;
  options.sample = {4};
  const Model model = build_model(options);
  const auto same = [](TwoWorkers::Bytes bytes) { return bytes; };
  const auto job = [&](Pin pin, int threads, int rank, const char* second_host) {
    TwoWorkers workers(same, rank, {"node01", second_host});
    TrainSettings settings;
    settings.batch = settings.lanes = 8;
    settings.threads = threads;
    settings.pin = pin;
    return agree_on_job(workers, model, settings).cores;
  };
  EXPECT_EQ(job(Pin::alone, all, 0, "node02"), cores);
  EXPECT_EQ(job(Pin::off, all, 0, "node02"), std::vector<int>{});
  EXPECT_EQ(job(Pin::alone, all + 1, 0, "node02"), std::vector<int>{}) << "fewer cores than threads";
  EXPECT_EQ(job(Pin::alone, all, 0, "node01"), std::vector<int>{}) << "the other worker may use them too";
  EXPECT_NE(message_of([&] { static_cast<void>(job(Pin::on, all, 1, "node01")); }).find("--pin on: rank 1"), std::string::npos);
  if (all < 2) {
    GTEST_SKIP() << "one core";
  }
  EXPECT_EQ(job(Pin::alone, all - 1, 0, "node02"), std::vector<int>{}) << "cores to spare may be another job's";
  EXPECT_EQ(job(Pin::on, 1, 0, "node01"), std::vector<int>{cores[0]});
  EXPECT_EQ(job(Pin::on, 1, 1, "node01"), std::vector<int>{cores[1]});
}

TEST(Job, FieldsMustFitTheModel) {
  ModelOptions options;
  options.sample = {4};
  const Model model = build_model(options);
  const Field labels{"labels", {}, DType::i32};
  EXPECT_EQ(message_of([&] { check_fields(model, std::vector<Field>{{"features", {4}, DType::f32}, labels}); }), "");
  EXPECT_NE(message_of([&] {
              check_fields(model, std::vector<Field>{{"features", {5}, DType::f32}, labels});
            }).find("[5]"),
            std::string::npos);
  EXPECT_NE(message_of([&] { check_fields(model, std::vector<Field>{labels}); }).find("'features'"), std::string::npos);
}

TEST(Job, ACheckpointOfAnotherExperimentIsRefusedByName) {
  ModelOptions options;
  options.sample = {4};
  const Model model = build_model(options);
  const FlatLayout layout = flat_layout(train_lane_graph(model.program("train").rebatch(4)));
  Checkpoint checkpoint;
  checkpoint.model = model.json();
  checkpoint.parameters = to_tensors(layout, std::vector<float>(static_cast<std::size_t>(layout.size)));
  checkpoint.settings = {{"batch", 64}, {"seed", 1}};
  const auto refusal = [&](const nlohmann::ordered_json& experiment, const Model& other) {
    return message_of([&] { check_same_run(checkpoint, other, experiment, "abc", false, layout); });
  };
  checkpoint.dataset_checksum = "abc";
  EXPECT_EQ(refusal({{"batch", 64}, {"seed", 1}}, model), "");
  EXPECT_NE(refusal({{"batch", 128}, {"seed", 1}}, model).find("batch 64, and now 128"), std::string::npos);
  options.activation = nn::Activation::tanh;
  EXPECT_NE(refusal({{"batch", 64}, {"seed", 1}}, build_model(options)).find("another model"), std::string::npos);
  checkpoint.dataset_checksum = "abd";
  EXPECT_NE(refusal({{"batch", 64}, {"seed", 1}}, model).find("--accept-changed-data"), std::string::npos);
  EXPECT_FALSE(check_same_run(checkpoint, model, {{"batch", 64}}, "abc", true, layout));

  checkpoint.dataset_checksum = "abc";
  checkpoint.settings["validation"] = "first";
  EXPECT_NE(refusal({{"validation", "second"}}, model).find("validation set is not the one"), std::string::npos);
  EXPECT_TRUE(check_same_run(checkpoint, model, {{"validation", "second"}}, "abc", true, layout)) << "the training set is the same";
  EXPECT_NE(refusal({{"validation", ""}}, model).find("another experiment"), std::string::npos);
}

TEST(Job, OtherOptionsOrDataAreRefusedByName) {
  TwoWorkers same = agreeing();
  EXPECT_EQ(message_of([&] { agree_on_experiment(same, "batch 64"); }), "");
  TwoWorkers other([](const TwoWorkers::Bytes&) {
    const std::string hash = sha256_hex(std::as_bytes(std::span(std::string_view("batch 128"))));
    const auto bytes = std::as_bytes(std::span(hash));
    return TwoWorkers::Bytes(bytes.begin(), bytes.end());
  });
  const std::string message = message_of([&] { agree_on_experiment(other, "batch 64"); });
  EXPECT_NE(message.find("rank 1 (node02): other options"), std::string::npos) << message;
}

TEST(Job, ParametersThatAreNotFiniteAreNeverWritten) {
  std::vector<float> flat(48, 0.5F);
  EXPECT_EQ(message_of([&] { check_finite(three_tensors(), flat); }), "");
  flat[12] = std::numeric_limits<float>::infinity();  // padding behind a
  EXPECT_EQ(message_of([&] { check_finite(three_tensors(), flat); }), "");
  flat[33] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(message_of([&] { check_finite(three_tensors(), flat); }).find("the update made c infinite"), std::string::npos);
}

TEST(Job, AnotherMachinesCheckpointNeedsConsent) {
  EXPECT_THROW(check_same_machine("a", "b", false), CheckpointError);
  EXPECT_NO_THROW(check_same_machine("a", "b", true));
  EXPECT_NO_THROW(check_same_machine("a", "a", false));
}

}  // namespace
}  // namespace lockstep
