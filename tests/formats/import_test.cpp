// Import of tables, arrays and images.
#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "data/reader.hpp"
#include "data/sample_data.hpp"
#include "formats/import_csv.hpp"
#include "formats/import_images.hpp"
#include "formats/import_npy.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::TemporaryFolder;

template <class T>
std::vector<T> rows_of_field(const RowSource& source, std::size_t field) {
  std::vector<T> values;
  source.read([&](std::span<const std::span<const std::byte>> rows) {
    const std::size_t before = values.size();
    values.resize(before + rows[field].size() / sizeof(T));
    std::memcpy(values.data() + before, rows[field].data(), rows[field].size());
  });
  return values;
}

std::filesystem::path text_file(const TemporaryFolder& folder, const char* name, const std::string& text) {
  testing::write_bytes(folder.path() / name, {text.begin(), text.end()});
  return folder.path() / name;
}

// ---- tables ----

TEST(ImportCsv, ClassesAndColumns) {
  const TemporaryFolder folder;
  const auto file =
      text_file(folder, "a.csv",
                "\xEF\xBB\xBFwidth, colour,\"height, in m\",kind\r\n1.5,red,2,\"a \"\"dog\"\"\"\r\n\r\n-2e1,blue,+3,cat\r\n0,red,4,cat");
  const CsvForm form = csv_form(file, {.one_hot = {"colour"}});
  EXPECT_EQ(form.names, (std::vector<std::string>{"width", "colour", "height, in m", "kind"}));
  EXPECT_EQ(form.targets.at(0).values, (std::vector<std::string>{"a \"dog\"", "cat"}));
  EXPECT_EQ(form.describe(), "4 features; 2 classes of 'kind'");
  const RowSource rows = csv_rows(file, form);
  EXPECT_EQ(rows.rows, 3);
  EXPECT_EQ(rows.fields.at(0).sample, Shape({4}));
  EXPECT_EQ(rows_of_field<float>(rows, 0), (std::vector<float>{1.5, 0, 1, 2, -20, 1, 0, 3, 0, 0, 1, 4}));
  EXPECT_EQ(rows_of_field<std::int32_t>(rows, 1), (std::vector<std::int32_t>{0, 1, 1}));
}

TEST(ImportCsv, TargetsAreClassesByTheirValues) {
  const TemporaryFolder folder;
  const auto form = [&](const std::string& text, CsvOptions options = {}) { return csv_form(text_file(folder, "a.csv", text), options); };
  EXPECT_EQ(form("1,10\n2,9\n3,10\n").targets[0].values, (std::vector<std::string>{"9", "10"}));  // in the order of numbers
  EXPECT_FALSE(form("1,1.0\n2,2.5\n").classifies());
  EXPECT_FALSE(form("1,1\n2,2\n", {.task = CsvTask::regression}).classifies());
  std::string many;
  for (int i = 0; i < 21; ++i) {
    many += "1," + std::to_string(i) + "\n";
  }
  EXPECT_FALSE(form(many).classifies());
  EXPECT_EQ(form(many, {.task = CsvTask::classification}).targets[0].values.size(), 21U);
  const CsvForm two = form("a;b;c;d\n1;2;3;4\n", {.targets = {"b", "4"}, .ignored = {"c"}});
  EXPECT_EQ(two.describe(), "1 features; numbers of 'b', 'd'");
  const auto spaced = form("  1   2.5\n3 4.5\n");
  EXPECT_EQ(spaced.names, (std::vector<std::string>{"1", "2"}));
}

TEST(ImportCsv, GivenClassesNumberTheTextsOfTheTarget) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "x,kind\n1,cat\n2,ant\n");
  const std::vector<std::string> classes{"dog", "cat", "ant"};
  const CsvForm form = csv_form(file, {.classes = classes});
  EXPECT_EQ(form.class_names(), classes);
  EXPECT_EQ(rows_of_field<std::int32_t>(csv_rows(file, form), 1), (std::vector<std::int32_t>{1, 2}));
  const auto other = text_file(folder, "b.csv", "x,kind\n1,cat\n2,bird\n");
  for (const CsvForm& of : {form, csv_form(other, {.classes = classes})}) {
    expect_contains(message_of([&] { rows_of_field<std::int32_t>(csv_rows(other, of), 1); }),
                    "b.csv, line 3: the column 'kind' holds 'bird', which is not among those of --classes: dog, cat, ant.\n  Name all");
  }
}

TEST(ImportCsv, NamesGoByNumberWhereLabelsAreNumbers) {
  const TemporaryFolder folder;
  using Labels = std::vector<std::int32_t>;
  const auto labels = [&](const std::string& table, const std::vector<std::string>& classes) {
    const auto file = text_file(folder, "a.csv", table);
    const CsvForm form = csv_form(file, {.classes = classes});
    EXPECT_EQ(form.class_names(), classes);
    return rows_of_field<std::int32_t>(csv_rows(file, form), 1);
  };
  EXPECT_EQ(labels("1,2\n1,0\n1,1\n", {"a", "b", "c"}), (Labels{2, 0, 1}));
  EXPECT_EQ(labels("1,2\n1,0\n", {"a", "b", "c"}), (Labels{2, 0}));  // no row is of class 1
  EXPECT_EQ(labels("1,1\n1,3\n", {"a", "b", "c"}), (Labels{0, 2}));  // counted from 1
  EXPECT_EQ(labels("1,7\n1,3\n", {"a", "b"}), (Labels{1, 0}));
  EXPECT_EQ(labels("1,2\n1,1\n", {"0", "1", "2"}), (Labels{2, 1}));  // the labels themselves
  EXPECT_EQ(labels("1,10\n1,9\n", {"10", "9"}), (Labels{0, 1}));
  expect_contains(message_of([&] {
                    labels("1,1\n1,2\n", {"a", "b", "c"});
                  }),
                  "a.csv, column '2': it cannot be told which of the 3 classes a,b,c is whose name: the labels are 1, 2.");
  expect_contains(message_of([&] {
                    labels("1,1\n1,2\n", {"2", "3"});
                  }),
                  "line 1: the column '2' holds '1', which is not among those of --classes: 2, 3");
  std::string letters;
  std::vector<std::string> names;
  for (int i = 0; i < 26; ++i) {  // more than are taken for classes where nobody says so
    letters += "1," + std::to_string(i) + "\n";
    names.emplace_back(1, static_cast<char>('a' + i));
  }
  EXPECT_EQ(labels(letters, names).back(), 25);
}

TEST(ImportCsv, GivenValuesOfAOneHotColumnAreItsColumns) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "x,colour,a=b,y\n1,red,p,0.5\n2,green,q,1.5\n");
  const CsvForm form = csv_form(file, {.one_hot = {"colour=green,\"dark, or so\",red", "a=b"}});
  EXPECT_EQ(form.columns().at("features"),
            (std::vector<std::string>{"x", "colour=green", "colour=dark, or so", "colour=red", "a=b=p", "a=b=q"}));
  EXPECT_EQ(rows_of_field<float>(csv_rows(file, form), 0), (std::vector<float>{1, 0, 0, 1, 1, 0, 2, 1, 0, 0, 0, 1}));
  const RowSource lacking = csv_rows(file, csv_form(file, {.ignored = {"a=b"}, .one_hot = {"2=red,blue"}}));
  EXPECT_THROW(static_cast<void>(csv_form(file, {.ignored = {"a=b"}, .one_hot = {"a=b"}})), UsageError);
  EXPECT_THROW(static_cast<void>(csv_form(file, {.one_hot = {"colour", "colour=red"}})), UsageError);
  expect_contains(message_of([&] { rows_of_field<float>(lacking, 0); }),
                  "a.csv, line 3: the column 'colour' holds 'green', which is not among those of --one-hot colour: red, blue.");
  for (const char* const wrong : {"colour=", "colour=red,red", "colour=\"red"}) {
    expect_contains(message_of<Error>([&] { return csv_form(file, {.one_hot = {wrong}}); }), "after = stand values");
  }
}

TEST(ImportCsv, ClassesAreForTargetsThatHaveSome) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "x,red,big\n1,0,1\n3,1,1\n");
  EXPECT_EQ(csv_form(file, {.targets = {"red", "big"}, .classes = {"R", "B"}}).class_names(), (std::vector<std::string>{"R", "B"}));
  expect_contains(message_of<Error>([&] {
                    return csv_form(file, {.targets = {"red", "big"}, .classes = {"R"}});
                  }),
                  "--classes gives 1 names for 2 targets");
  expect_contains(message_of<Error>([&] { return csv_form(file, {.classes = {"R"}, .task = CsvTask::regression}); }),
                  "--classes names classes, but the targets are numbers");
}

TEST(ImportCsv, RegressionTargetsAreStandardisedAndCanBeUnscaled) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "x,y\n1,100.5\n3,300.5\n");
  const CsvForm form = csv_form(file, {.task = CsvTask::regression});
  import_rows(csv_rows(file, form), csv_rows(file, form), folder.path() / "out", {});
  for (const char* part : {"train", "test"}) {
    const Dataset data = Dataset::open(folder.path() / "out" / part);
    EXPECT_EQ(data.statistics("features"), (Statistics{{2}, {1}}));
    EXPECT_EQ(data.statistics("labels"), (Statistics{{200.5}, {100}}));
    BatchReader reader(std::make_shared<ChunkCache>(data, 0), StepTable(2, 2, 1), {.rows = {0, 2}, .end_epoch = 1});
    const StepBatch& batch = reader.next();
    const auto* const y = reinterpret_cast<const float*>(batch.lanes[0].fields[data.field_index("labels")]);
    EXPECT_EQ(y[0], -1.0F);
    EXPECT_EQ(y[1], 1.0F);
    EXPECT_EQ(y[1] * data.statistics("labels").std[0] + data.statistics("labels").mean[0], 300.5);
  }
}

TEST(ImportCsv, SeveralTargetsOfZerosAndOnesAreLabels) {
  const TemporaryFolder folder;
  const std::string text = "x,red,big\n1,0,1\n3,1,1.0\n";
  const auto file = text_file(folder, "a.csv", text);
  for (const CsvTask task : {CsvTask::by_values, CsvTask::several}) {
    const CsvForm form = csv_form(file, {.targets = {"red", "big"}, .task = task});
    EXPECT_EQ(form.class_names(), (std::vector<std::string>{"red", "big"}));
    const RowSource rows = csv_rows(file, form);
    EXPECT_EQ(rows.fields.at(1), (Field{"labels", {2}, DType::i32}));
    EXPECT_EQ(rows.normalised, std::set<std::string>{"features"});
    EXPECT_EQ(rows_of_field<std::int32_t>(rows, 1), (std::vector<std::int32_t>{0, 1, 1, 1}));
  }
  EXPECT_EQ(csv_form(file, {.targets = {"red", "big"}, .task = CsvTask::regression}).task, CsvTask::regression);
  const auto other = text_file(folder, "b.csv", text + "4,2,0\n");
  EXPECT_EQ(csv_form(other, {.targets = {"red", "big"}}).task, CsvTask::regression);
  const RowSource wrong = csv_rows(other, csv_form(other, {.targets = {"red", "big"}, .task = CsvTask::several}));
  expect_contains(message_of([&] { rows_of_field<std::int32_t>(wrong, 1); }),
                  "b.csv, line 4: the target 'red' holds '2', but several labels are 0 or 1 each");
  expect_contains(message_of<Error>([&] { return csv_form(file, {.task = CsvTask::several}); }), "takes more than one --target");
  import_rows(csv_rows(file, csv_form(file, {.targets = {"red", "big"}})), {}, folder.path() / "out", {.class_names = {"red", "big"}});
  EXPECT_TRUE(Dataset::open(folder.path() / "out" / "train").statistics("labels").mean.empty());
}

TEST(ImportCsv, TextInATargetOfNumbersIsNoColumnToLeaveOut) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "x,y\n1,2\n3,red\n");
  const RowSource rows = csv_rows(file, csv_form(file, {.task = CsvTask::regression}));
  const std::string refusal = message_of([&] { rows_of_field<float>(rows, 1); });
  expect_contains(
      refusal, "a.csv, line 3: the target 'y' holds 'red', which is no number.\n  Choose another --target, or take its values as classes");
  EXPECT_EQ(refusal.find("--ignore"), std::string::npos);
}

TEST(ImportCsv, GzipAndOtherRowsOfTheSameForm) {
  const TemporaryFolder folder;
  const std::string text = "x\tkind\n1\tb\n2\ta\n";
  gzFile packed = gzopen((folder.path() / "a.tsv.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(packed, text.data(), static_cast<unsigned>(text.size())), std::ssize(text));
  gzclose(packed);
  const CsvForm form = csv_form(folder.path() / "a.tsv.gz", {});
  EXPECT_EQ(csv_rows(folder.path() / "a.tsv.gz", form).rows, 2);
  EXPECT_EQ(rows_of_field<std::int32_t>(csv_rows(text_file(folder, "b.tsv", "x\tkind\n9\tb\n"), form), 1), std::vector<std::int32_t>{1});
  const RowSource other = csv_rows(text_file(folder, "c.tsv", "x\tkind\n9\tc\n"), form);
  expect_contains(message_of([&] { rows_of_field<float>(other, 0); }),
                  "c.tsv, line 2: the column 'kind' holds 'c', which the training rows do not have; they have a, b");
  expect_contains(message_of([&] { return csv_rows(text_file(folder, "d.tsv", "y\tkind\n9\ta\n"), form); }),
                  "d.tsv: has the columns y, kind, but the training rows have x, kind");
}

TEST(ImportCsv, WhatIsWrongIsNamedByLineAndColumn) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& text, const CsvOptions& options = {}) {
    return message_of<Error>([&] { return csv_form(text_file(folder, "a.csv", text), options); });
  };
  expect_contains(refusal("a,b\n1,2\n3\n"), "a.csv, line 3: has 1 cells, but there are 2 columns");
  expect_contains(refusal("a,b\n1,2\nred,2\n"), "a.csv, line 3: the column 'a' holds 'red', which is no number.\n  Make a column for each");
  expect_contains(refusal("a,b\n1,2\n,2\n"), "a.csv, line 3: the column 'a' has no value.\n  Leave out such rows with --missing drop");
  expect_contains(refusal("a,b\n1,NA\n"), "the column 'b' has no value");
  expect_contains(refusal("a,b\n\"1,2\n"), "a quote does not end");
  expect_contains(refusal("a,b\n1,2\n", {.targets = {"c"}}), "there is no column 'c'; there are a, b");
  expect_contains(refusal("a\n1\n"), "no column is left for features");
  expect_contains(refusal(""), "is empty");
  expect_contains(refusal("a,b,c,b\n1,2,3,4\n"), "a.csv, line 1: the columns 2 and 4 are both named 'b'.\n  Rename one of them");
  EXPECT_EQ(csv_form(text_file(folder, "a.csv", "1.4,1.4,red\n"), {.header = false}).names, (std::vector<std::string>{"1", "2", "3"}));
  const auto file = text_file(folder, "a.csv", "a,b\n1,2\n,2\n3,?\n4,1\n");
  EXPECT_EQ(csv_rows(file, csv_form(file, {.drop_missing = true})).rows, 2);
  EXPECT_EQ(csv_rows(file, csv_form(file, {.drop_missing = true})).left_out, 2);
  expect_contains(message_of([&] {
                    const auto bad = text_file(folder, "inf.csv", "a,b\n1,2\ninf,2\n");
                    import_rows(csv_rows(bad, csv_form(bad, {})), {}, folder.path() / "out", {});
                  }),
                  "features holds 1 values that are NaN or infinite, the first in row 1 of the training rows");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
}

TEST(ImportRows, SplitsByKeyAndLimits) {
  const TemporaryFolder folder;
  std::string text = "a,b\n";
  for (int i = 0; i < 100; ++i) {
    text += std::to_string(i) + "," + std::to_string(i) + ".5\n";
  }
  const auto file = text_file(folder, "a.csv", text);
  const RowSource all = csv_rows(file, csv_form(file, {}));
  const auto [train, test] = split_source(all, 0.2, 1);
  EXPECT_EQ(train.rows, 80);
  EXPECT_EQ(test.rows, 20);
  const auto kept = rows_of_field<float>(train, 0);
  auto both = rows_of_field<float>(test, 0);
  EXPECT_EQ(both.size(), 20U);
  EXPECT_NE(both.front(), 80.0F);  // not simply the last ones
  EXPECT_EQ(rows_of_field<float>(split_source(all, 0.2, 1).second, 0), both);
  EXPECT_NE(rows_of_field<float>(split_source(all, 0.2, 2).second, 0), both);
  both.insert(both.end(), kept.begin(), kept.end());
  std::ranges::sort(both);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(both.at(static_cast<std::size_t>(i)), static_cast<float>(i));
  }
  EXPECT_EQ(rows_of_field<float>(first_rows(all, 3), 0), (std::vector<float>{0, 1, 2}));
  EXPECT_THROW(static_cast<void>(split_source(all, 1.0, 1)), UsageError);
  EXPECT_THROW(static_cast<void>(split_source(all, -0.5, 1)), UsageError);
}

TEST(ImportRows, MakesBothPartsOrNeither) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "a,b\n1,2.5\n2,3.5\n");
  const RowSource rows = csv_rows(file, csv_form(file, {}));
  const auto out = folder.path() / "out";
  std::filesystem::create_directories(out / "test");
  testing::write_bytes(out / "test" / "mine", {'x'});
  expect_contains(message_of([&] { import_rows(rows, rows, out, {}); }), "test: already holds something");
  EXPECT_FALSE(std::filesystem::exists(out / "train"));
  EXPECT_TRUE(std::filesystem::exists(out / "test" / "mine"));
  std::filesystem::remove_all(out);
  RowSource cut = rows;
  cut.rows = 3;  // more than come
  expect_contains(message_of([&] { import_rows(rows, cut, out, {}); }), "3 rows were announced, but 2 appended");
  EXPECT_TRUE(std::filesystem::is_empty(out));
  import_rows(rows, rows, out, {});
  EXPECT_EQ(Dataset::open(out / "test").rows(), 2);
}

TEST(ImportRows, LeavesOutRowsThatAreNotFinite) {
  const TemporaryFolder folder;
  const auto file = text_file(folder, "a.csv", "a,b,c\n1,2,0.5\ninf,2,0.5\n3,-inf,0.5\n4,5,inf\n6,7,1.5\n");
  const RowSource all = csv_rows(file, csv_form(file, {}));
  const RowSource kept = finite_rows(all);
  EXPECT_EQ(kept.rows, 2);
  EXPECT_EQ(rows_of_field<float>(kept, 0), (std::vector<float>{1, 2, 6, 7}));
  EXPECT_EQ(rows_of_field<float>(kept, 1), (std::vector<float>{0.5, 1.5}));
  EXPECT_EQ(finite_rows(kept).rows, 2);
}

// ---- numpy ----

template <class T>
std::filesystem::path npy(const TemporaryFolder& folder, const char* name, const std::string& type, const std::string& shape,
                          const std::vector<T>& values, const char* order = "False") {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.resize((header.size() + 10 + 63) / 64 * 64 - 10, ' ');
  header.back() = '\n';
  std::string bytes = "\x93NUMPY\x01";
  bytes += {'\0', static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  testing::write_bytes(folder.path() / name, {bytes.begin(), bytes.end()});
  return folder.path() / name;
}

FieldSource from(const std::filesystem::path& file, const std::string& how = "", Role role = Role::input) {
  return FieldSource::parse(file.string() + how, role);
}

TEST(ImportNpy, ArraysOfEveryType) {
  const TemporaryFolder folder;
  const auto f64 = npy<double>(folder, "f64.npy", "<f8", "(3, 2)", {1, 2, 3, 4, 5, 6});
  const auto labels = npy<std::int64_t>(folder, "i64.npy", "<i8", "(3,)", {2, 0, 1});
  const RowSource rows = npy_rows({from(f64), from(labels, "", Role::target)});
  EXPECT_EQ(rows.rows, 3);
  EXPECT_EQ(rows.fields[0].sample, Shape({2}));
  EXPECT_EQ(rows_of_field<float>(rows, 0), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(rows_of_field<std::int32_t>(rows, 1), (std::vector<std::int32_t>{2, 0, 1}));
  EXPECT_EQ(rows.normalised, std::set<std::string>{"features"});
  const auto big = npy<std::uint16_t>(folder, "big.npy", ">u2", "(2, 1)", {0x0100, 0x0001});  // 1 and 256 in bytes swapped
  EXPECT_EQ(rows_of_field<float>(npy_rows({from(big)}), 0), (std::vector<float>{1, 256}));
  const auto half = npy<std::uint16_t>(folder, "half.npy", "<f2", "(2,)", {0x3C00, 0xC100});
  EXPECT_EQ(rows_of_field<float>(npy_rows({from(half)}), 0), (std::vector<float>{1, -2.5}));
  const auto flags = npy<std::uint8_t>(folder, "bool.npy", "|b1", "(2,)", {1, 0});
  EXPECT_EQ(rows_of_field<std::uint8_t>(npy_rows({from(flags)}), 0), (std::vector<std::uint8_t>{1, 0}));
  const auto image = npy<std::uint8_t>(folder, "image.npy", "|u1", "(1, 1, 2, 3)", {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(rows_of_field<std::uint8_t>(npy_rows({from(image, ":nhwc")}), 0), (std::vector<std::uint8_t>{1, 4, 2, 5, 3, 6}));
}

TEST(ImportNpy, WeightsAreOfTheTrainingPartAlone) {
  const TemporaryFolder folder;
  const auto x = from(npy<float>(folder, "x.npy", "<f4", "(3, 1)", {1, 2, 3}));
  const auto y = from(npy<std::int32_t>(folder, "y.npy", "<i4", "(3,)", {0, 1, 1}), "", Role::target);
  const auto w = from(npy<float>(folder, "w.npy", "<f4", "(3,)", {1, 2, 3}), "", Role::weight);
  const RowSource weighted = npy_rows({x, y, w});
  const RowSource plain = npy_rows({x, y});
  import_rows(weighted, plain, folder.path() / "one", {});
  import_rows(weighted, weighted, folder.path() / "two", {});
  for (const char* out : {"one", "two"}) {
    const Dataset train = Dataset::open(folder.path() / out / "train");
    const Dataset test = Dataset::open(folder.path() / out / "test");
    EXPECT_EQ(train.statistics("weight"), (Statistics{{0}, {2}}));
    EXPECT_FALSE(test.has_field("weight"));
    EXPECT_EQ(test.statistics("features"), train.statistics("features"));
    EXPECT_EQ(test.checksum(), Dataset::open(folder.path() / "one" / "test").checksum());
  }
  expect_contains(message_of([&] { import_rows(weighted, npy_rows({x}), folder.path() / "three", {}); }),
                  "the test rows have other fields");
}

TEST(ImportNpy, OtherFilesAreRefused) {
  const TemporaryFolder folder;
  const auto good = npy<float>(folder, "good.npy", "<f4", "(2,)", {1, 2});
  const auto refusal = [&](const std::filesystem::path& file, const std::string& how = "") {
    return message_of([&] { rows_of_field<float>(npy_rows({from(good), from(file, how, Role::target)}), 0); });
  };
  expect_contains(refusal(npy<float>(folder, "a.npy", "<f4", "(3,)", {1, 2, 3})), "has 3 rows, but");
  expect_contains(refusal(npy<float>(folder, "a.npy", "<f4", "(2, 2)", {1, 2, 3})),
                  "announces an array of [2, 2], but holds 12 bytes of it");
  expect_contains(refusal(npy<float>(folder, "a.npy", "<f4", "(2, 2)", {1, 2, 3, 4}, "True")), "is stored column by column");
  expect_contains(refusal(npy<double>(folder, "a.npy", "<c16", "(1,)", {1, 2})), "numpy's type '<c16'");
  expect_contains(refusal(npy<std::int64_t>(folder, "a.npy", "<i8", "(2,)", {1, std::int64_t{1} << 40})), "no whole number of 32 bits");
  expect_contains(refusal(text_file(folder, "a.npy", "hello, world")), "is no .npy file");
  expect_contains(refusal(folder.path() / "absent.npy"), "is no .npy file, or is not there");
  expect_contains(refusal(text_file(folder, "a.npz", "PK")), "is a .npz archive");
}

// ---- images ----

TEST(ImportCifar10, BatchesAndNames) {
  const TemporaryFolder folder;
  std::string record(3073, '\7');
  for (int i = 1; i <= 5; ++i) {
    record[0] = static_cast<char>(i % 2);
    record[1] = static_cast<char>(i);
    text_file(folder, ("data_batch_" + std::to_string(i) + ".bin").c_str(), record + record);
  }
  text_file(folder, "test_batch.bin", record);
  text_file(folder, "batches.meta.txt", "airplane\nautomobile\n\n");
  const ImageSet set = cifar10(folder.path());
  EXPECT_EQ(set.train.rows, 10);
  EXPECT_EQ(set.test->rows, 1);
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"airplane", "automobile"}));
  EXPECT_EQ(set.train.fields[0].sample, Shape({3, 32, 32}));
  EXPECT_EQ(rows_of_field<std::int32_t>(set.train, 1), (std::vector<std::int32_t>{1, 1, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(rows_of_field<std::uint8_t>(set.train, 0).at(2 * 3072), 2);
  text_file(folder, "data_batch_3.bin", record + "x");
  expect_contains(message_of([&] { return cifar10(folder.path()); }), "data_batch_3.bin: is cut short");
  std::filesystem::remove(folder.path() / "data_batch_3.bin");
  expect_contains(message_of([&] { return cifar10(folder.path()); }), "data_batch_3.bin: is not there, or empty");
}

void write_png(const std::filesystem::path& path, unsigned height, unsigned width, png_uint_32 format,
               const std::vector<std::uint8_t>& pixels) {
  std::filesystem::create_directories(path.parent_path());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = height;
  image.width = width;
  image.format = format;
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr), 0) << image.message;
}

TEST(ImportPng, FoldersAreClasses) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return folder.path() / name; };
  for (int i = 0; i < 8; ++i) {
    const auto tint = static_cast<std::uint8_t>(10 * i);
    write_png(at("cat") / ("c" + std::to_string(i) + ".png"), 1, 2, PNG_FORMAT_RGB, {tint, 1, 2, 3, 4, 5});
    write_png(at("dog") / ("d" + std::to_string(i) + ".png"), 1, 2, PNG_FORMAT_GRAY, {tint, 9});
  }
  const ImageSet set = png_folders(folder.path());
  EXPECT_FALSE(set.test.has_value());
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(set.train.rows, 16);
  EXPECT_EQ(set.train.fields[0].sample, Shape({3, 1, 2}));
  const auto labels = rows_of_field<std::int32_t>(set.train, 1);
  const auto pixels = rows_of_field<std::uint8_t>(set.train, 0);
  EXPECT_EQ(std::accumulate(labels.begin(), labels.end(), 0), 8);
  EXPECT_FALSE(std::ranges::is_sorted(labels));
  int tints = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto* const p = pixels.data() + row * 6;
    tints += p[0];
    if (labels[row] == 0) {
      EXPECT_EQ((std::vector<int>{p[1], p[2], p[3], p[4], p[5]}), (std::vector<int>{3, 1, 4, 2, 5}));  // planes of red, green, blue
    } else {
      EXPECT_EQ((std::vector<int>{p[1], p[3], p[5]}), (std::vector<int>{9, 9, 9}));
    }
  }
  EXPECT_EQ(tints, 2 * 280);
  write_png(at("dog") / "wide.png", 1, 3, PNG_FORMAT_GRAY, {1, 2, 3});
  expect_contains(message_of([&] { rows_of_field<std::uint8_t>(png_folders(folder.path()).train, 0); }), "wide.png: is 1 x 3, but");
  std::filesystem::remove(at("dog") / "wide.png");
  testing::write_bytes(at("dog") / "d3.png", {'n', 'o'});
  expect_contains(message_of([&] { rows_of_field<std::uint8_t>(png_folders(folder.path()).train, 0); }), "d3.png: cannot be read as PNG");
  expect_contains(message_of([&] { return png_folders(at("cat")); }), "holds no images");
}

TEST(ImportPng, TrainAndTestShareTheirClasses) {
  const TemporaryFolder folder;
  for (const char* image : {"train/a/1.png", "train/b/1.png", "test/b/1.png"}) {
    write_png(folder.path() / image, 2, 2, PNG_FORMAT_GRAY, {1, 2, 3, 4});
  }
  const ImageSet set = png_folders(folder.path());
  EXPECT_EQ(set.train.fields[0].sample, Shape({1, 2, 2}));
  EXPECT_EQ(rows_of_field<std::int32_t>(*set.test, 1), std::vector<std::int32_t>{1});
  write_png(folder.path() / "test/c/1.png", 2, 2, PNG_FORMAT_GRAY, {1, 2, 3, 4});
  expect_contains(message_of([&] { return png_folders(folder.path()); }), "c: is a class that");
}

TEST(ImportPng, GivenClassesNumberTheFolders) {
  const TemporaryFolder folder;
  for (const char* image : {"train/a/1.png", "test/b/1.png"}) {
    write_png(folder.path() / image, 2, 2, PNG_FORMAT_GRAY, {1, 2, 3, 4});
  }
  const ImageSet set = png_folders(folder.path(), {"c", "b", "a"});
  EXPECT_EQ(set.class_names, (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(rows_of_field<std::int32_t>(set.train, 1), std::vector<std::int32_t>{2});
  EXPECT_EQ(rows_of_field<std::int32_t>(*set.test, 1), std::vector<std::int32_t>{1});
  expect_contains(message_of([&] { return png_folders(folder.path(), {"c", "b"}); }), "train/a: is not among --classes c, b");
  expect_contains(message_of([&] { return png_folders(folder.path(), {"c", "a"}); }), "test/b: is not among --classes c, a");
}

}  // namespace
}  // namespace lockstep
