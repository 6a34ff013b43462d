#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <sstream>

#include "cli/commands.hpp"
#include "data/hdf5.hpp"
#include "formats/dataset_writer.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep::cli {
namespace {

std::vector<std::vector<std::string>> table_in(const std::filesystem::path& file) {
  std::istringstream lines(text_of(file));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(lines, line);) {
    rows.push_back(split_names(line));
  }
  return rows;
}

/// y = 1000 + 50·a − 20·b, far from the standardised numbers that a model learns.
double truth(int row) { return 1000 + 50 * ((row * 7) % 13) - 20 * ((row * 5) % 11); }

void write_table(const std::filesystem::path& file, int rows, bool with_kinds) {
  std::string text = "a,b,y\n";
  for (int row = 0; row < rows; ++row) {
    text += with_kinds ? fmt::format("{},{},{}\n", (row * 7) % 13, (row * 5) % 11, truth(row) > 1200 ? "high" : "low")
                       : fmt::format("{}.0,{},{}.5\n", (row * 7) % 13, (row * 5) % 11, truth(row));
  }
  put(file, text);
}

class Predict : public testing::Test {
 protected:
  /// Imports a table and trains on it.
  void train(bool with_kinds) {
    write_table(folder / "table.csv", 400, with_kinds);
    ASSERT_EQ(run_import({"csv", "--data", (folder / "table.csv").string(), "--out", (folder / "data").string(), "--test-fraction", "0.2"}),
              0);
    ASSERT_EQ(run_train({"--data", (folder / "data").string(), "--run", (folder / "run").string(), "--hidden", "32", "--batch", "20",
                         "--lanes", "4", "--epochs", "30", "--lr", "0.05", "--quiet", "--threads", "1"}),
              0);
  }
  int predict(const std::string& data, const std::string& to, const std::string& threads = "1") {
    return run_predict(
        {"--run", (folder / "run").string(), "--data", (folder / data).string(), "--to", (folder / to).string(), "--threads", threads});
  }
  const ScratchFolder folder;
};

TEST_F(Predict, ValuesAreInTheUnitsOfTheData) {
  train(false);
  ASSERT_EQ(predict("data/train", "said.csv"), 0);
  const auto table = table_in(folder / "said.csv");
  EXPECT_EQ(table[0], (std::vector<std::string>{"row", "prediction"}));
  const Dataset training = Dataset::open(folder / "data" / "train");
  ASSERT_EQ(static_cast<std::int64_t>(table.size()), training.rows() + 1);
  const Statistics& scale = training.statistics("labels");
  double squares = 0;
  std::size_t row = 1;
  for (std::size_t chunk = 0; chunk < training.chunks().size(); ++chunk) {
    const std::vector<std::byte> bytes = training.read_field(chunk, training.field_index("labels"));
    for (std::size_t i = 0; i < bytes.size() / sizeof(float); ++i) {
      float label = 0;
      std::memcpy(&label, bytes.data() + i * sizeof(float), sizeof(float));
      squares += std::pow(std::stod(table[row++].at(1)) - label, 2);
    }
  }
  EXPECT_LT(std::sqrt(squares / static_cast<double>(training.rows())), 0.2 * scale.std.at(0));
}

TEST_F(Predict, ClassesAndProbabilities) {
  train(true);
  ASSERT_EQ(predict("data", "said.csv"), 0);  // its test part
  const auto table = table_in(folder / "said.csv");
  EXPECT_EQ(table[0], (std::vector<std::string>{"row", "prediction", "p:high", "p:low"}));
  ASSERT_EQ(static_cast<std::int64_t>(table.size()), Dataset::open(folder / "data" / "test").rows() + 1);
  for (std::size_t row = 1; row < table.size(); ++row) {
    const double high = std::stod(table[row].at(2)), low = std::stod(table[row].at(3));
    EXPECT_NEAR(high + low, 1, 1e-6);
    EXPECT_EQ(table[row].at(1), high > low ? "high" : "low");
  }
  ASSERT_EQ(predict("data", "said.h5"), 0);
  const Hdf5File file = Hdf5File::open(folder / "said.h5");
  const auto classes = file.read<std::int32_t>("/classes");
  const auto shares = file.read<float>("/probabilities");
  for (std::size_t row = 0; row < classes.size(); ++row) {
    EXPECT_EQ(classes[row], table[row + 1].at(1) == "high" ? 0 : 1);
    EXPECT_EQ(shares[2 * row], std::stof(table[row + 1].at(2)));
  }
}

TEST_F(Predict, SameBitsOnAnyThreads) {
  train(true);
  ASSERT_EQ(predict("data/train", "one.csv", "1"), 0);
  ASSERT_EQ(predict("data/train", "three.csv", "3"), 0);
  EXPECT_EQ(text_of(folder / "one.csv"), text_of(folder / "three.csv"));
}

TEST_F(Predict, NewSamplesAreNormalisedAsTheTrainingSetWasAndNeedNoLabels) {
  train(false);
  // The same rows without labels, in a dataset that says nothing of normalising, or says something else.
  const Dataset training = Dataset::open(folder / "data" / "train");
  const std::vector<std::byte> features = training.read_field(0, training.field_index("features"));
  const std::int64_t rows = training.chunks()[0].rows;
  DatasetOptions other;
  other.mean = {5, 5};
  other.std = {3, 3};
  DatasetWriter writer(folder / "new", {{"features", {2}, DType::f32}}, rows, other);
  const std::array<std::span<const std::byte>, 1> values{features};
  writer.append(values);
  writer.close();
  ASSERT_EQ(predict("new", "new.csv"), 0);
  ASSERT_EQ(predict("data/train", "said.csv"), 0);
  auto said = table_in(folder / "said.csv");
  said.resize(static_cast<std::size_t>(rows) + 1);
  EXPECT_EQ(table_in(folder / "new.csv"), said);
}

/// The last line that tells this figure.
std::string figure_in(const std::string& text, const std::string& name) {
  const std::size_t at = text.rfind(name);
  return text.substr(at, text.find('\n', at) - at);
}

TEST_F(Predict, TrainingMeasuresOtherDatasetsAsEvaluationDoes) {
  train(false);
  write_table(folder / "other.csv", 60, false);
  ASSERT_EQ(run_import({"csv", "--data", (folder / "other.csv").string(), "--out", (folder / "other").string()}), 0);
  testing::internal::CaptureStdout();
  const std::vector<std::string> options{"--hidden", "32",   "--batch", "20",        "--lanes", "4",      "--epochs",
                                         "2",        "--lr", "0.05",    "--threads", "1",       "--quiet"};
  std::vector<std::string> arguments{"--data", (folder / "data/train").string(), "--test", (folder / "other/train").string(),
                                     "--run",  (folder / "second").string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  ASSERT_EQ(run_train(arguments), 0);
  const std::string trained = testing::internal::GetCapturedStdout();
  testing::internal::CaptureStdout();
  ASSERT_EQ(run_evaluate({"--run", (folder / "second").string(), "--data", (folder / "other/train").string()}), 0);
  EXPECT_EQ(figure_in(trained, "test rmse"), figure_in(testing::internal::GetCapturedStdout(), "test rmse"));
}

TEST_F(Predict, NamesTheInputThatIsMissing) {
  train(false);
  DatasetWriter writer(folder / "new", {{"features", {3}, DType::f32}}, 1, {});
  const std::vector<float> row(3);
  const std::array<std::span<const std::byte>, 1> values{std::as_bytes(std::span(row))};
  writer.append(values);
  writer.close();
  try {
    static_cast<void>(predict("new", "new.csv"));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("'features' as f32 [2], but the dataset has f32 [3]"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lockstep::cli
