// What import keeps of the data's names, and what train, evaluate and predict make of them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <sstream>

#include "cli/commands.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep::cli {
namespace {

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

std::string first_line(const std::filesystem::path& file) {
  const std::string text = text_of(file);
  return text.substr(0, text.find('\n'));
}

class Import : public testing::Test {
 protected:
  /// What `lockstep import csv` says; the table is put into DATA.csv.
  std::string import(const std::string& data, const std::string& table, std::vector<std::string> options = {}) {
    put(folder / (data + ".csv"), table);
    std::vector<std::string> arguments{"csv", "--data", (folder / (data + ".csv")).string(), "--out", (folder / data).string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return said([&] { return run_import(arguments); });
  }
  /// What a command that succeeds says.
  static std::string said(const std::function<int()>& command) {
    testing::internal::CaptureStdout();
    int code = -1;
    try {
      code = command();
    } catch (...) {
      testing::internal::GetCapturedStdout();
      throw;
    }
    EXPECT_EQ(code, 0);
    return testing::internal::GetCapturedStdout();
  }
  std::string path(const std::string& data) const { return (folder / data / "train").string(); }
  int train(const std::string& data, const std::vector<std::string>& options = {}, const std::string& run = "run") {
    std::vector<std::string> arguments{
        "--data",    path(data), "--run",  (folder / run).string(), "--hidden", "8", "--batch", "8", "--lanes", "2", "--epochs", "20",
        "--threads", "1",        "--quiet"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_train(arguments);
  }
  int evaluate(const std::string& data) {
    return run_evaluate({"--run", (folder / "run").string(), "--data", path(data), "--confusion", (folder / "confusion.csv").string()});
  }
  int evaluate_only(const std::string& data) { return run_evaluate({"--run", (folder / "run").string(), "--data", path(data)}); }
  int predict(const std::string& data) {
    return run_predict({"--run", (folder / "run").string(), "--data", path(data), "--to", (folder / "said.csv").string()});
  }
  const ScratchFolder folder;
};

/// Cats are small, dogs are large.
std::string animals(int rows, const std::string& small = "cat", const std::string& large = "dog") {
  std::string table = "weight,age,kind\n";
  for (int row = 0; row < rows; ++row) {
    const bool dog = row % 2 == 1;
    if (!(dog ? large : small).empty()) {
      table += fmt::format("{},{},{}\n", (dog ? 20 : 4) + row % 3, row % 5, dog ? large : small);
    }
  }
  return table;
}

TEST_F(Import, ClassesOfOtherNumbersAreRefusedWithTheListThatMendsIt) {
  import("animals", animals(80));
  import("dogs", animals(20, ""));  // which makes dogs class 0
  train("animals", {"--lr", "0.05"});
  const std::string refusal = what_throws<DataError>([&] { evaluate("dogs"); });
  expect_contains(refusal, "dogs/train: the classes are dog, but those of the training set are cat,dog");
  expect_contains(refusal, "Import it again with: --classes 'cat,dog'");
  for (const char* option : {"--test", "--validation"}) {
    expect_contains(what_throws<DataError>([&] {
                      train("animals", {option, path("dogs")}, "other");
                    }),
                    "dogs/train: the classes are dog, but");
  }
  predict("dogs");  // says what it says, whatever the labels
  std::filesystem::remove_all(folder / "dogs");
  import("dogs", animals(20, ""), {"--classes", "cat, dog"});
  expect_contains(said([&] { return evaluate("dogs"); }), "test accuracy   1.0000");
  import("cats", animals(20, "cat", ""));  // the numbers mean the same, though the last class is not there
  expect_contains(said([&] { return evaluate_only("cats"); }), "test accuracy   1.0000");
}

TEST_F(Import, NumbersAsLabelsGetTheNamesOfTheModel) {
  import("animals", animals(80, "0", "1"), {"--classes", "cat,dog"});
  train("animals", {"--lr", "0.05"});
  import("dogs", animals(20, "", "1"));  // whose only class is 1, which is number 0
  const std::string refusal = what_throws<DataError>([&] { evaluate("dogs"); });
  expect_contains(refusal, "the classes are 1, but those of the training set are cat,dog");
  import("both", animals(20, "0", "1"), {"--classes", "cat,dog"});
  expect_contains(said([&] { return evaluate("both"); }), "test accuracy   1.0000");
}

TEST_F(Import, NamesOfClassesWithCommasSurvive) {
  const std::string table = animals(80, "\"cat, or kitten\"");
  import("animals", table);
  train("animals", {"--lr", "0.05"});
  evaluate("animals");
  EXPECT_EQ(first_line(folder / "confusion.csv"), "label,\"cat, or kitten\",dog");
  import("again", table, {"--classes", "\"cat, or kitten\",dog"});
  evaluate("again");
  expect_contains(text_of(folder / "confusion.csv"), "\n\"cat, or kitten\",40,0\n");
  expect_contains(what_throws<UsageError>([&] { import("twice", table, {"--classes", "dog,cat,dog"}); }), "'dog' is there twice");
}

TEST_F(Import, ColumnsInAnotherOrderAreRefused) {
  import("animals", animals(80));
  train("animals", {"--lr", "0.05"});
  import("moved", "age,weight,kind\n1,4,cat\n2,20,dog\n");
  const std::string refusal = "moved/train: column 1 of features is 'age', but that of the training set is 'weight'";
  expect_contains(what_throws<DataError>([&] { evaluate("moved"); }), refusal);
  expect_contains(what_throws<DataError>([&] { predict("moved"); }), refusal);
  expect_contains(what_throws<DataError>([&] { train("animals", {"--test", path("moved")}, "other"); }), "column 1 of features is 'age'");
  import("wider", "weight,age,tail,kind\n4,1,1,cat\n20,2,1,dog\n");
  expect_contains(what_throws<DataError>([&] { predict("wider"); }),
                  "column 3 of features is 'tail', but that of the training set is no column");
  import("renamed", "weight,age,what\n4,1,cat\n20,2,dog\n");
  expect_contains(what_throws<DataError>([&] { evaluate("renamed"); }),
                  "column 1 of labels is 'what', but that of the training set is 'kind'");
  predict("renamed");
  import("unnamed", "4,1,0\n20,2,1\n", {"--classes", "cat,dog"});  // whose columns nobody knows
  expect_contains(said([&] { return evaluate("unnamed"); }), "test accuracy   1.0000");
  run_export({"--run", (folder / "run").string(), "--to", (folder / "model.safetensors").string()});
  expect_contains(text_of(folder / "model.safetensors"), R"("columns":"{\"features\":[\"weight\",\"age\"],\"labels\":[\"kind\"]}")");
}

TEST_F(Import, ValuesOfOneHotColumnsAreNames) {
  const auto table = [](const char* colour) {
    std::string text = "colour,x,y\n";
    for (int row = 0; row < 40; ++row) {
      text += fmt::format("{},{},{}.5\n", row % 2 == 0 ? "red" : colour, row % 7, row);
    }
    return text;
  };
  import("blue", table("blue"), {"--one-hot", "colour"});
  import("green", table("green"), {"--one-hot", "colour"});
  train("blue", {"--lr", "0.001"});
  expect_contains(what_throws<DataError>([&] { predict("green"); }),
                  "column 1 of features is 'colour=green', but that of the training set is 'colour=blue'");
  import("few", "colour,x,y\nblue,3,1.5\n", {"--one-hot", "colour=blue,red"});
  predict("few");
  EXPECT_EQ(first_line(folder / "said.csv"), "row,prediction");
}

TEST_F(Import, PredictionsOfSeveralTargetsHaveTheirNames) {
  std::string table = "x,price,\"area, m2\"\n";
  for (int row = 0; row < 40; ++row) {
    table += fmt::format("{}.0,{}.5,{}.25\n", row, row * 10, row * 2);
  }
  import("houses", table, {"--target", "price", "--target", "area, m2"});
  train("houses", {"--lr", "0.001"});
  predict("houses");
  EXPECT_EQ(first_line(folder / "said.csv"), "row,prediction:price,\"prediction:area, m2\"");

  // The errors of each, in its units.
  std::istringstream lines(text_of(folder / "said.csv"));
  std::string line;
  std::getline(lines, line);
  double price = 0, area = 0;
  for (int row = 0; std::getline(lines, line); ++row) {
    double of_price = 0, of_area = 0;
    ASSERT_EQ(std::sscanf(line.c_str(), "%*d,%lf,%lf", &of_price, &of_area), 2) << line;
    price += std::abs(of_price - (row * 10 + 0.5)) / 40;
    area += std::pow(of_area - (row * 2 + 0.25), 2) / 40;
  }
  const std::string errors = said([&] { return evaluate_only("houses"); });
  expect_contains(errors, fmt::format("test mae:price  {:.2f}", price));
  expect_contains(errors, fmt::format("test rmse:area, m2 {:.2f}", std::sqrt(area)));
  expect_contains(errors, "test r2:price ");
}

TEST_F(Import, ATableWithoutTargetIsForPredict) {
  import("animals", animals(80));
  train("animals", {"--lr", "0.05"});
  expect_contains(import("new", "weight,age\n4,1\n20,2\n", {"--no-target"}), "2 features; no target");
  predict("new");
  const std::string said = text_of(folder / "said.csv");
  expect_contains(said, "row,prediction,p:cat,p:dog\n0,cat,");
  expect_contains(said, "\n1,dog,");
  expect_contains(what_throws<DataError>([&] { evaluate("new"); }), "new/train: has no labels, which train and evaluate compare with");
  expect_contains(what_throws<DataError>([&] { train("new", {}, "other"); }), "new/train: has no labels");
  expect_contains(what_throws<DataError>([&] { train("animals", {"--test", path("new")}, "third"); }), "new/train: has no labels");
  for (const char* option : {"--target", "--classes", "--task"}) {
    expect_contains(what_throws<UsageError>([&] {
                      import("bad", "a,b\n1,2\n", {"--no-target", option, std::string(option) == "--task" ? "regression" : "b"});
                    }),
                    "--no-target says that the table holds no target");
  }
}

TEST_F(Import, SaysWhatIsLeftOut) {
  const std::string some = import("some", "a,b\n1,2.5\n,2\n3,?\n4,1\ninf,1\n", {"--missing", "drop"});
  expect_contains(some, "2 training and 0 test rows");
  expect_contains(some, "left out 3 rows that lack a value");
  EXPECT_EQ(import("all", "a,b\n1,2.5\n").find("left out"), std::string::npos);
}

TEST_F(Import, SaysWhichFilesAreNoImages) {
  for (const char* file : {"a/1.png", "b/1.png", "b/2.PNG"}) {
    const auto image_file = folder / "images" / file;
    std::filesystem::create_directories(image_file.parent_path());
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = image.height = 2;
    image.format = PNG_FORMAT_GRAY;
    const std::array<std::uint8_t, 4> pixels{1, 2, 3, 4};
    ASSERT_NE(png_image_write_to_file(&image, image_file.c_str(), 0, pixels.data(), 0, nullptr), 0);
  }
  const auto import_images = [&](const std::string& out) {
    return said([&] { return run_import({"png", "--data", (folder / "images").string(), "--out", (folder / out).string()}); });
  };
  EXPECT_EQ(import_images("clean").find("skipped"), std::string::npos);
  put(folder / "images/a/2.jpg", "");
  put(folder / "images/b/3.jpg", "");
  put(folder / "images/notes.txt", "");
  put(folder / "images/b/.hidden", "");
  expect_contains(import_images("out"), "3 training and 0 test rows");
  std::filesystem::remove_all(folder / "out");
  expect_contains(import_images("out"), "skipped 3 files: only .png and .PNG are read");
}

}  // namespace
}  // namespace lockstep::cli
