#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <span>

#include "cli/commands.hpp"
#include "formats/dataset_writer.hpp"
#include "train/scratch_folder.hpp"

/// The model file of src/nn/README.md, two inputs and two outputs with a loss each, from training to evaluation.
namespace lockstep::cli {
namespace {

constexpr std::int64_t kRows = 96;

/// image [1, 8, 8], bright in one of three bands, which is its kind; facts [4], and the price that follows from them.
void write_dataset(const std::filesystem::path& folder, std::int32_t first_kind = 0) {
  std::vector<float> images, facts, prices;
  std::vector<std::int32_t> kinds;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const std::int64_t kind = row % 3;
    kinds.push_back(row == 0 ? first_kind : static_cast<std::int32_t>(kind));
    for (std::int64_t y = 0; y < 8; ++y) {
      for (std::int64_t x = 0; x < 8; ++x) {
        images.push_back((y / 3 == kind ? 1.0F : -0.2F) + 0.1F * static_cast<float>((row * 7 + y * 3 + x) % 5));
      }
    }
    for (std::int64_t i = 0; i < 4; ++i) {
      facts.push_back(static_cast<float>((row * (i + 3)) % 11) / 11.0F);
    }
    prices.push_back(1 + facts[facts.size() - 4] - facts.back());
  }
  const std::vector<Field> fields{
      {"facts", {4}, DType::f32}, {"image", {1, 8, 8}, DType::f32}, {"kind", {}, DType::i32}, {"price", {1}, DType::f32}};
  DatasetWriter writer(folder, fields, kRows, {});
  const std::vector<std::span<const std::byte>> values{std::as_bytes(std::span(facts)), std::as_bytes(std::span(images)),
                                                       std::as_bytes(std::span(kinds)), std::as_bytes(std::span(prices))};
  writer.append(values);
  writer.close();
}

std::string example() {
  const std::string text = text_of(LOCKSTEP_SOURCE_DIR "/src/nn/README.md");
  const std::size_t begin = text.find("```json\n") + 8;
  return text.substr(begin, text.find("```", begin) - begin);
}

/// The cells of a column of metrics.csv.
std::vector<std::string> column(const std::filesystem::path& run, const std::string& name) {
  std::istringstream lines(text_of(run / "metrics.csv"));
  std::vector<std::string> cells;
  std::string line;
  std::size_t wanted = 0;
  for (bool head = true; std::getline(lines, line); head = false) {
    const std::vector<std::string> row = split_names(line);
    if (head) {
      wanted = static_cast<std::size_t>(std::ranges::find(row, name) - row.begin());
    } else {
      cells.push_back(row.at(wanted));
    }
  }
  return cells;
}

class TwoBranches : public testing::Test {
 protected:
  TwoBranches() { put(folder / "model.json", example()); }
  int train(const std::string& run, const std::string& threads) {
    return run_train({"--data", (folder / "data").string(), "--run", (folder / run).string(), "--model", (folder / "model.json").string(),
                      "--batch", "16", "--lanes", "5", "--epochs", "6", "--lr", "0.05", "--quiet", "--threads", threads});
  }
  const ScratchFolder folder;
};

TEST_F(TwoBranches, TrainAndEvaluate) {
  write_dataset(folder / "data");
  ASSERT_EQ(train("one", "1"), 0);
  ASSERT_EQ(train("three", "3"), 0);
  const std::vector<std::string> losses = column(folder / "one", "train_loss");
  ASSERT_EQ(losses.size(), 6U);
  EXPECT_LT(std::stod(losses.back()), 0.5 * std::stod(losses.front()));
  EXPECT_EQ(column(folder / "one", "parameter_hash"), column(folder / "three", "parameter_hash"));
  EXPECT_EQ(run_evaluate({"--data", (folder / "data").string(), "--run", (folder / "one").string()}), 0);
}

TEST_F(TwoBranches, EveryFieldOfLabelsIsChecked) {
  write_dataset(folder / "data", 3);
  const std::string message = what_throws<DataError>([&] { static_cast<void>(train("run", "1")); });
  EXPECT_NE(message.find("/kind holds the class 3 in row 0"), std::string::npos) << message;
}

}  // namespace
}  // namespace lockstep::cli
