#include "formats/run_log.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "formats/compare.hpp"
#include "lockstep/error.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep {
namespace {

StepSeen seen(std::uint64_t step) {
  StepSeen seen;
  seen.step = step;
  seen.epoch = 1 + (step - 1) / 10;
  seen.samples = 4;
  seen.loss = 4.0 / static_cast<double>(step);
  seen.learning_rate = 0.1;
  seen.gradient_norm = static_cast<double>(step);
  seen.seconds = 0.5;
  seen.compute = 0.25;
  return seen;
}

/// Steps `begin` … `end` − 1 of a run that goes on from step begin − 1.
nlohmann::ordered_json log_steps(const std::filesystem::path& run, std::uint64_t begin, std::uint64_t end, std::uint64_t every,
                                 const nlohmann::ordered_json& state = nullptr) {
  std::filesystem::create_directories(run);
  RunLog log({run, every, false});
  log.start({begin - 1, 250, {}, state});
  for (std::uint64_t step = begin; step < end; ++step) {
    log.step(seen(step));
  }
  return log.checkpoint();
}

std::vector<StepLine> lines_of(const std::filesystem::path& run) {
  std::vector<StepLine> lines;
  std::istringstream text(text_of(run / "steps.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(StepLine::from(line).value());
  }
  return lines;
}

TEST(RunLog, ALineIsTheMeanOverItsSteps) {
  const ScratchFolder run;
  log_steps(run.path(), 1, 9, 3);
  const std::vector<StepLine> lines = lines_of(run.path());
  ASSERT_EQ(lines.size(), 2);  // two steps are left over
  EXPECT_EQ(lines[0].step, 3);
  EXPECT_EQ(lines[1].step, 6);
  EXPECT_EQ(lines[1].samples, 12);
  EXPECT_DOUBLE_EQ(lines[1].loss, (4.0 / 4 + 4.0 / 5 + 4.0 / 6) / 12);
  EXPECT_EQ(lines[1].gradient_norm, 5);
  EXPECT_EQ(lines[1].learning_rate, 0.1);
  EXPECT_EQ(lines[1].seconds, 1.5);
  EXPECT_EQ(lines[1].compute_seconds, 0.75);
  EXPECT_GT(lines[1].time, 1.7e9);
}

TEST(RunLog, LinesOfAHundredthOfAnEpochWhereNothingIsAskedFor) {
  const ScratchFolder run;
  log_steps(run.path(), 1, 6, 0);
  EXPECT_EQ(lines_of(run.path()).size(), 2);  // an epoch has 250 steps
}

TEST(RunLog, GoesOnFromACheckpointAsIfNothingHadHappened) {
  const ScratchFolder scratch;
  const auto whole = scratch / "whole", killed = scratch / "killed";
  log_steps(whole, 1, 13, 3);
  const auto state = log_steps(killed, 1, 9, 3);
  const std::vector<StepLine> before = lines_of(killed);
  log_steps(killed, 9, 11, 3, state);  // killed after a line that is no more
  log_steps(killed, 9, 13, 3, state);
  const std::vector<StepLine> expected = lines_of(whole), lines = lines_of(killed);
  ASSERT_EQ(lines.size(), expected.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].step, expected[i].step);
    EXPECT_EQ(lines[i].loss, expected[i].loss);
    EXPECT_EQ(lines[i].gradient_norm, expected[i].gradient_norm);
    EXPECT_EQ(lines[i].samples, expected[i].samples);
  }
  EXPECT_EQ(lines[1].time, before[1].time) << "times of lines that are kept stay";
  EXPECT_TRUE(std::isnan(lines[2].seconds)) << "a part of its time was in another process";
  EXPECT_EQ(lines[3].seconds, 1.5);
}

TEST(RunLog, GoesOnInTheMiddleOfALineWhereNoNormIsKnown) {
  const ScratchFolder run;
  nlohmann::ordered_json state;
  {
    RunLog log({run.path(), 3, false});
    log.start({0, 250, {}, nullptr});
    StepSeen one = seen(1);
    one.gradient_norm = std::numeric_limits<double>::quiet_NaN();
    log.step(one);
    state = nlohmann::ordered_json::parse(log.checkpoint().dump());  // as a checkpoint holds it
  }
  log_steps(run.path(), 2, 4, 3, state);
  ASSERT_EQ(lines_of(run.path()).size(), 1);
  EXPECT_TRUE(std::isnan(lines_of(run.path())[0].gradient_norm));
  EXPECT_EQ(lines_of(run.path())[0].samples, 12);
}

TEST(RunLog, ANewRunDropsWhatAnotherLeft) {
  const ScratchFolder scratch;
  put(scratch / "steps.jsonl", "{\"step\":3,\"epoch\":1}\n{\"st");
  put(scratch / "hashes.jsonl", "{\"step\":3,\"tensors\":{}}\n");
  log_steps(scratch.path(), 1, 2, 3);
  EXPECT_EQ(text_of(scratch / "steps.jsonl"), "");
  EXPECT_EQ(text_of(scratch / "hashes.jsonl"), "");
}

TEST(RunLog, HashesEveryTensor) {
  const ScratchFolder scratch;
  FlatLayout layout;
  for (const auto& [name, count] : {std::pair("b", 2), std::pair("a", 1)}) {
    FlatTensor& tensor = layout.tensors.emplace_back();
    tensor.name = name;
    tensor.shape = Shape({count});
    tensor.offset = 16 * (std::ssize(layout.tensors) - 1);
    tensor.count = count;
  }
  std::vector<float> flat(32);
  RunLog log({scratch.path(), 1, false});
  log.start({0, 10, {}, nullptr});
  log.parameters(5, layout, flat);
  flat[1] = -0.0F;
  log.parameters(10, layout, flat);
  // the first 16 digits of SHA-256 over 4 and over 8 bytes of zeros, and over a float 0 and a −0
  EXPECT_EQ(text_of(scratch / "hashes.jsonl"),
            "{\"step\":5,\"tensors\":{\"a\":\"df3f619804a92fdb\",\"b\":\"af5570f5a1810b7a\"}}\n"
            "{\"step\":10,\"tensors\":{\"a\":\"df3f619804a92fdb\",\"b\":\"e6ad6c9a3a3b7658\"}}\n");
}

TEST(StepLine, WhatIsMissingIsNaNAndWhatIsNewIsPassedOver) {
  const StepLine line = StepLine::from(R"({"step":7,"loss":null,"samples":3,"more":{"a":1}})").value();
  EXPECT_EQ(line.step, 7);
  EXPECT_EQ(line.samples, 3);
  EXPECT_TRUE(std::isnan(line.loss) && std::isnan(line.seconds));
  std::string text;
  line.append_to(text);
  EXPECT_NE(text.find("\"loss\":null"), std::string::npos) << text;
  EXPECT_FALSE(StepLine::from("{\"st"));
  EXPECT_FALSE(StepLine::from("[]"));
}

TEST(EventFile, ChecksumIsThatOfRfc3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
}

RunFiles::Json epoch(int number, double loss, double figure, const std::string& name = "validation_accuracy") {
  return {{"epoch", number},
          {"step", 10 * number},
          {"train_loss", loss},
          {name, figure},
          {"parameter_hash", "0123456789abcdef"},
          {"seconds", 2},
          {"samples_per_second", 100 * number}};
}

RunFiles a_run(const std::string& name, std::vector<RunFiles::Json> epochs,
               std::vector<std::pair<std::string, std::string>> settings = {}) {
  RunFiles run;
  run.name = name;
  run.epochs = std::move(epochs);
  run.settings = std::move(settings);
  return run;
}

TEST(Compare, ARunARowTheBestFirstWithWhatDiffers) {
  const std::vector<RunFiles> runs{a_run("slow", {epoch(1, 0.5, 0.7), epoch(2, 0.4, 0.6)}, {{"lr", "0.1"}, {"seed", "1"}}),
                                   a_run("fast", {epoch(1, 0.6, 0.8)}, {{"lr", "0.2"}, {"seed", "1"}}), a_run("none", {}, {{"seed", "1"}})};
  const std::vector<std::vector<std::string>> expected{
      {"run", "lr", "best validation_accuracy", "best epoch", "epochs", "steps done", "parameter hash", "samples/s"},
      {"fast", "0.2", "0.8", "1", "1", "10", "0123456789ab", "100"},
      {"slow", "0.1", "0.7", "1", "2", "20", "0123456789ab", "150"},
      {"none", "-", "-", "-", "0", "-", "-", "-"}};
  EXPECT_EQ(compare(runs), expected);
}

TEST(Compare, LessOfAnErrorIsBetter) {
  const std::vector<RunFiles> errors{a_run("a", {epoch(1, 0.5, 3, "validation_rmse")}), a_run("b", {epoch(1, 0.6, 2, "validation_rmse")})};
  EXPECT_EQ(compare(errors)[1][0], "b");
  const std::vector<RunFiles> losses{a_run("a", {epoch(1, 0.5, 3, "other")}), a_run("b", {epoch(1, 0.6, 2, "other")})};
  EXPECT_EQ(compare(losses)[0][1], "best train_loss");
  EXPECT_EQ(compare(losses)[1][0], "a");
}

TEST(Compare, NamesTheFirstStepAndTensorThatDiffer) {
  const ScratchFolder scratch;
  for (const char* run : {"a", "b"}) {
    std::filesystem::create_directories(scratch / run);
  }
  put(scratch / "a/hashes.jsonl",
      "{\"step\":5,\"tensors\":{\"x\":\"1\",\"y\":\"2\"}}\n{\"step\":10,\"tensors\":{\"x\":\"1\",\"y\":\"3\"}}\n");
  put(scratch / "b/hashes.jsonl",
      "{\"step\":5,\"tensors\":{\"x\":\"1\",\"y\":\"2\"}}\n{\"step\":10,\"tensors\":{\"x\":\"1\",\"y\":\"4\"}}\n");
  const std::string difference = first_difference(scratch / "a", scratch / "b").value();
  EXPECT_NE(difference.find("the first difference is in step 10 (the same bits through step 5): 1 of 2 tensors, y"), std::string::npos)
      << difference;
  EXPECT_NE(first_difference(scratch / "a", scratch / "a")->find("the same bits through step 10"), std::string::npos);
  EXPECT_FALSE(first_difference(scratch / "a", scratch / "none"));
}

}  // namespace
}  // namespace lockstep
