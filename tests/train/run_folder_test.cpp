#include "train/run_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/error.hpp"
#include "scratch_folder.hpp"

namespace lockstep {
namespace {

EpochRow row(std::uint64_t epoch) {
  EpochRow row{.epoch = epoch,
               .step = 10 * epoch,
               .train_loss = 0.1 + 0.2,
               .penalty = 0.5,
               .learning_rate = 0.05,
               .parameter_norm = 7.5,
               .parameter_hash = "ab"};
  row.samples_per_second = 1000 + static_cast<double>(epoch);
  row.seconds = 1.5;
  row.data_wait_share = 0.25;
  return row;
}

const std::string kHeader = "epoch,step,train_loss,penalty,validation_loss,learning_rate,parameter_norm,parameter_hash\n";

TEST(RunFolder, CreatesItselfWithItsParents) {
  const ScratchFolder scratch;
  const RunFolder folder(scratch / "a/b");
  folder.write_config("epochs = 3\n");
  EXPECT_EQ(text_of(scratch / "a/b/config.ini"), "epochs = 3\n");
  EXPECT_EQ(listing(folder.path()), "config.ini");
}

TEST(RunFolder, RefusesAFolderItCannotHave) {
  const ScratchFolder scratch;
  put(scratch / "file", "");
  const std::string what = what_throws<UsageError>([&] { RunFolder folder(scratch / "file/run"); });
  EXPECT_NE(what.find("file/run cannot be created: Not a directory. Give another one with --run."), std::string::npos) << what;
  const std::string proc = what_throws<UsageError>([&] { RunFolder folder("/proc/self"); });
  EXPECT_NE(proc.find("/proc/self cannot be written to: "), std::string::npos) << proc;
}

TEST(RunFolder, MetricsHaveALineAnEpoch) {
  const ScratchFolder scratch;
  RunFolder folder(scratch / "run");
  folder.restore_history({}, {"accuracy", "top_5_accuracy"});
  folder.append(row(1));
  EpochRow second = row(2);
  second.validation_loss = 0.3;
  second.figures = {{"accuracy", 0.875}, {"top_5_accuracy", 1}};
  EXPECT_EQ(EpochRow::from_json(second.to_json()).figures, second.figures);
  folder.append(second);
  EXPECT_EQ(text_of(scratch / "run/metrics.csv"),
            "epoch,step,train_loss,penalty,validation_loss,validation_accuracy,validation_top_5_accuracy,learning_rate,parameter_norm,"
            "parameter_hash\n"
            "1,10,0.30000000000000004,0.5,,,,0.05,7.5,ab\n2,20,0.30000000000000004,0.5,0.3,0.875,1,0.05,7.5,ab\n");
  EXPECT_EQ(
      text_of(scratch / "run/metrics.jsonl"),
      R"({"epoch":1,"step":10,"train_loss":0.30000000000000004,"penalty":0.5,"validation_loss":null,)"
      R"("learning_rate":0.05,"parameter_norm":7.5,"parameter_hash":"ab","samples_per_second":1001.0,"seconds":1.5,"data_wait_share":0.25})"
      "\n"
      R"({"epoch":2,"step":20,"train_loss":0.30000000000000004,"penalty":0.5,"validation_loss":0.3,"validation_accuracy":0.875,)"
      R"("validation_top_5_accuracy":1.0,"learning_rate":0.05,"parameter_norm":7.5,"parameter_hash":"ab","samples_per_second":1002.0,"seconds":1.5,"data_wait_share":0.25})"
      "\n");
}

TEST(RunFolder, CutsMetricsBackToTheHistoryAndKeepsItsTimes) {
  const ScratchFolder scratch;
  RunFolder folder(scratch / "run");
  folder.restore_history({});
  for (const std::uint64_t epoch : {1, 2, 3}) {
    folder.append(row(epoch));
  }
  std::vector<EpochRow> history;
  for (const std::uint64_t epoch : {1, 2}) {
    history.push_back(EpochRow::from_json(nlohmann::ordered_json::parse(row(epoch).to_json().dump())));
    EXPECT_TRUE(std::isnan(history.back().seconds)) << "times do not go into checkpoints";
  }
  folder.restore_history(history);
  const std::string csv = text_of(scratch / "run/metrics.csv");
  EXPECT_EQ(csv, kHeader + row(1).csv({}) + row(2).csv({}));
  EXPECT_EQ(text_of(scratch / "run/metrics.jsonl"), row(1).to_json_with_times().dump() + "\n" + row(2).to_json_with_times().dump() + "\n");
}

TEST(RunFolder, RestoresMetricsThatAreLostOrNotThose) {
  const ScratchFolder scratch;
  RunFolder folder(scratch / "run");
  put(scratch / "run/metrics.jsonl", row(7).to_json_with_times().dump() + "\n{\"epoch\":2,\"st");
  folder.restore_history(std::vector{row(1), row(2)});
  EXPECT_EQ(text_of(scratch / "run/metrics.jsonl"), row(1).to_json_with_times().dump() + "\n" + row(2).to_json_with_times().dump() + "\n");
}

TEST(EpochRow, NanBecomesNullAndComesBack) {
  EpochRow bad = row(1);
  bad.train_loss = std::nan("");
  const EpochRow back = EpochRow::from_json(nlohmann::ordered_json::parse(bad.to_json_with_times().dump()));
  EXPECT_TRUE(std::isnan(back.train_loss));
  EXPECT_EQ(back.samples_per_second, 1001);
  EXPECT_EQ(back.csv({}), bad.csv({}));
  EXPECT_THROW(static_cast<void>(EpochRow::from_json({{"epoch", 1}})), CheckpointError);
  EXPECT_THROW(static_cast<void>(EpochRow::from_json({{"epoch", "one"}})), CheckpointError);
}

}  // namespace
}  // namespace lockstep
