#include "formats/run_files.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "formats/run_results.hpp"
#include "formats/run_sample.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

TEST(RunFiles, ReadsEveryFile) {
  const ScratchFolder scratch;
  const RunFiles run = read_run(whole_run(scratch, "first") / "");  // as a shell completes it
  EXPECT_EQ(run.name, "first");
  EXPECT_EQ(column(run.epochs, "validation_accuracy"), (std::vector{0.75, 0.875}));
  EXPECT_EQ(run.steps.size(), 10u);
  EXPECT_EQ(number_at(run.steps[1], "step"), 4);
  EXPECT_TRUE(std::isnan(number_at(run.steps[1], "gradient_norm")));
  EXPECT_TRUE(std::isnan(number_at(run.steps[1], "not there")));
  EXPECT_EQ(run.setting("batch"), "20");
  EXPECT_EQ(run.setting("no such setting"), "");
  EXPECT_EQ(run.classes, (std::vector<std::string>{"coat", "shirt"}));
  EXPECT_EQ(run.confusion, (std::vector<double>{8, 2, 4, 6}));
  EXPECT_EQ(run.samples.at("samples").size(), 1u);
}

TEST(RunFiles, WhatARunEndedWithCountsAboveItsLastEpoch) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  EXPECT_EQ(hash_of(read_run(scratch.path())), "11bb");
  put(scratch / "result.json", R"({"step":25,"parameter_hash":"22cc"})");
  EXPECT_EQ(hash_of(read_run(scratch.path())), "22cc");
  EXPECT_EQ(steps_of(read_run(scratch.path())), 25);
}

TEST(RunFiles, MetricsAreEnough) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  const RunFiles run = read_run(scratch.path());
  EXPECT_EQ(run.epochs.size(), 2u);
  EXPECT_TRUE(run.steps.empty() && run.settings.empty() && run.confusion.empty() && run.samples.is_null());
}

TEST(RunFiles, WhatIsNoRunFolderIsNamed) {
  const ScratchFolder scratch;
  const std::string text = what_throws<UsageError>([&] { static_cast<void>(read_run(scratch / "nothing")); });
  EXPECT_NE(text.find("nothing holds no metrics.jsonl"), std::string::npos) << text;
}

TEST(RunFiles, ALastLineThatIsBeingWrittenIsLeftOut) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  put(scratch / "steps.jsonl", step_line(1, 1) + step_line(2, 0.5).substr(0, 30));
  EXPECT_EQ(read_run(scratch.path()).steps.size(), 1u);
}

TEST(RunFiles, ABrokenLineIsNamed) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  put(scratch / "steps.jsonl", step_line(1, 1) + "{broken\n" + step_line(3, 1));
  const std::string text = what_throws<DataError>([&] { static_cast<void>(read_run(scratch.path())); });
  EXPECT_NE(text.find("steps.jsonl, line 2"), std::string::npos) << text;
}

TEST(RunFiles, NamesOfClassesMayHoldCommas) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", kMetrics);
  for (const char* const table : {"label,\"coats, long\",hats\n\"coats, long\",3,1\nhats,0,2\n",
                                  "label,coats, long,hats\ncoats, long,3,1\nhats,0,2\n"}) {  // as it was once written
    put(scratch / "confusion.csv", table);
    const RunFiles run = read_run(scratch.path());
    EXPECT_EQ(run.classes, (std::vector<std::string>{"coats, long", "hats"}));
    EXPECT_EQ(run.confusion, (std::vector<double>{3, 1, 0, 2}));
  }
  put(scratch / "confusion.csv", "label,a,b\na,3,1\nb,0\n");
  const std::string text = what_throws<DataError>([&] { static_cast<void>(read_run(scratch.path())); });
  EXPECT_NE(text.find("confusion.csv, line 3"), std::string::npos) << text;
}

TEST(RunFiles, ANameThatComesAgainHasAllItsValues) {
  const ScratchFolder scratch;
  put(scratch / "metrics.jsonl", "");
  put(scratch / "config.ini", "lr = 0.1\nlr = 0.01@conv*\n");
  EXPECT_EQ(read_run(scratch.path()).setting("lr"), "0.1, 0.01@conv*");
}

}  // namespace
}  // namespace lockstep
