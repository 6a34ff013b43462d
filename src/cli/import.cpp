#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <tuple>

#include "cli/commands.hpp"
#include "cli/data_options.hpp"
#include "formats/csv_cell.hpp"
#include "formats/import_csv.hpp"
#include "formats/import_idx.hpp"
#include "formats/import_images.hpp"
#include "formats/import_npy.hpp"

namespace lockstep::cli {
namespace {

using Texts = std::vector<std::string>;

/// What an importer hands over, and a line to say about it.
struct Found {
  RowSource train;
  std::optional<RowSource> test;
  Texts class_names;
  std::string note;
  std::int64_t skipped = 0;  ///< files
};

std::string text(const po::variables_map& values, const char* option) {
  return values.contains(option) ? values[option].as<std::string>() : "";
}

std::string needed(const po::variables_map& values, const char* option, const char* what) {
  if (!values.contains(option)) {
    throw UsageError(fmt::format("--{} is missing: {}", option, what));
  }
  return text(values, option);
}

Texts texts(const po::variables_map& values, const char* option) { return values.contains(option) ? values[option].as<Texts>() : Texts(); }

std::int64_t at_least_0(const po::variables_map& values, const char* option) {
  const auto number = values[option].as<std::int64_t>();
  if (number < 0) {
    throw UsageError(fmt::format("--{} must be at least 0, not {}", option, number));
  }
  return number;
}

/// What --classes says; empty: nothing.
Texts given_classes(const po::variables_map& values) {
  const std::string given = text(values, "classes");
  if (given.empty() || given == "fashion-mnist") {
    return given.empty() ? Texts() : fashion_mnist_classes();
  }
  Texts names;
  if (!split_csv_line(given, ',', names)) {
    throw UsageError(fmt::format("--classes {}: a quote does not end", given));
  }
  for (std::string& name : names) {
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
  }
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (name->empty() || std::find(names.begin(), name, *name) != name) {
      throw UsageError(fmt::format("--classes {}: {}", given, name->empty() ? "a name is empty" : "'" + *name + "' is there twice"));
    }
  }
  return names;
}

/// With the names that --classes gives to numbers.
Found named(Found found, const po::variables_map& values) {
  if (Texts names = given_classes(values); !names.empty()) {
    found.class_names = std::move(names);
  }
  return found;
}

Found from_idx(const po::variables_map& values) {
  if (values.contains("test-images") != values.contains("test-labels")) {
    throw UsageError("--test-images and --test-labels belong together");
  }
  Found found{idx_rows(needed(values, "images", "training images"), needed(values, "labels", "training labels")), {}, {}, ""};
  if (values.contains("test-images")) {
    found.test = idx_rows(text(values, "test-images"), text(values, "test-labels"));
  }
  return named(std::move(found), values);
}

bool drops_missing(const po::variables_map& values) {
  constexpr std::array<std::string_view, 2> kMissing{"error", "drop"};
  return choice(values, "missing", kMissing) == 1;
}

Found from_csv(const po::variables_map& values) {
  CsvOptions options;
  const std::string delimiter = text(values, "delimiter");
  if (delimiter.size() > 1 && delimiter != "tab") {
    throw UsageError(fmt::format("--delimiter {}: give one character, or tab", delimiter));
  }
  options.delimiter = delimiter == "tab" ? '\t' : delimiter.empty() ? '\0' : delimiter[0];
  constexpr std::array<std::string_view, 3> kHeader{"auto", "yes", "no"};
  const std::size_t header = choice(values, "header", kHeader);
  options.header = header == 0 ? std::nullopt : std::optional(header == 1);
  options.targets = texts(values, "target");
  options.ignored = texts(values, "ignore");
  options.one_hot = texts(values, "one-hot");
  options.classes = given_classes(values);
  constexpr std::array<std::string_view, 4> kTask{"auto", "classification", "regression", "several"};
  options.task = static_cast<CsvTask>(choice(values, "task", kTask));
  if (values["no-target"].as<bool>()) {
    if (options.task != CsvTask::by_values) {
      throw UsageError("--no-target says that the table holds no target, so --task is not for it");
    }
    options.task = CsvTask::unlabelled;
  }
  options.drop_missing = drops_missing(values);
  const std::string file = needed(values, "data", "the table");
  const CsvForm form = csv_form(file, options);
  Found found{csv_rows(file, form), {}, form.class_names(), form.describe()};
  if (values.contains("test")) {
    found.test = csv_rows(text(values, "test"), form);
  }
  return found;
}

Found from_npy(const po::variables_map& values) {
  std::vector<FieldSource> test;
  for (const auto& [option, role] : {std::pair{"test-input", Role::input}, {"test-target", Role::target}}) {
    for (const std::string& each : texts(values, option)) {
      test.push_back(FieldSource::parse(each, role));
    }
  }
  if (!values.contains("input")) {
    throw UsageError("--input is missing: a .npy file that the model reads, such as features=x.npy");
  }
  return named({npy_rows(field_sources(values)), test.empty() ? std::nullopt : std::optional(npy_rows(test)), {}, ""}, values);
}

Found from_hdf5(const po::variables_map& values) {
  const std::vector<FieldSource> sources = field_sources(values);
  if (sources.empty()) {
    throw UsageError("--input is missing: what the model reads of the files, such as features=/images");
  }
  std::vector<FieldSource> of_test = sources;
  std::erase_if(of_test, [](const FieldSource& source) { return source.role == Role::weight; });
  const auto open = [](const std::string& list, const std::vector<FieldSource>& fields) {
    return rows_of(Dataset::open(DataFiles{expand_files(list), fields}));
  };
  return named({open(needed(values, "data", "the HDF5 files"), sources),
                values.contains("test") ? std::optional(open(text(values, "test"), of_test)) : std::nullopt,
                {},
                ""},
               values);
}

Found from_images(const ImageSet& set) { return {set.train, set.test, set.class_names, "", set.skipped}; }
Found from_cifar10(const po::variables_map& values) {
  return named(from_images(cifar10(needed(values, "data", "the unpacked folder"))), values);
}
Found from_png(const po::variables_map& values) {
  return from_images(png_folders(needed(values, "data", "the folder of classes"), given_classes(values)));
}

struct Format {
  std::string_view name;
  std::string_view options;  ///< that are its own, a blank before and after each
  Found (*read)(const po::variables_map&);
};
constexpr std::array kFormats{
    Format{"idx", " images labels test-images test-labels ", from_idx},
    Format{"csv", " data test target no-target ignore one-hot delimiter header task missing ", from_csv},
    Format{"npy", " input target weight test-input test-target missing ", from_npy},
    Format{"hdf5", " data test input target weight missing ", from_hdf5},
    Format{"cifar10", " data ", from_cifar10},
    Format{"png", " data ", from_png},
};

void add_options(po::options_description& options) {
  options.add_options()                                                                                        //
      ("format", po::value<std::string>()->required(), "idx, csv, npy, hdf5, cifar10 or png")                  //
      ("out", po::value<std::string>()->required()->value_name("DIR"), "the dataset: DIR/train and DIR/test")  //
      ("data", po::value<std::string>()->value_name("PATH"),
       "csv: the table; hdf5: files; cifar10: the folder; png: the folder of classes")                                    //
      ("test", po::value<std::string>()->value_name("PATH"), "csv, hdf5: the test part")                                  //
      ("test-fraction", po::value<double>()->default_value(0), "or keep this part of the rows for it, chosen by --seed")  //
      ("seed", po::value<std::int64_t>()->default_value(1), "of that choice")                                             //
      ("classes", po::value<std::string>()->default_value(""),
       "names of the classes, separated by commas, or fashion-mnist. Labels that are texts, and folders, get their places here as "
       "numbers, and each must be here; labels that are numbers get these names by number")                  //
      ("limit", po::value<std::int64_t>()->default_value(0), "the first so many training rows only")         //
      ("test-limit", po::value<std::int64_t>()->default_value(0), "the first so many test rows only")        //
      ("chunk-rows", po::value<std::int64_t>()->default_value(0), "rows that are read at once; 0: by size")  //
      ("images", po::value<std::string>()->value_name("FILE"), "idx: training images")                       //
      ("labels", po::value<std::string>()->value_name("FILE"), "idx: training labels")                       //
      ("test-images", po::value<std::string>()->value_name("FILE"), "idx: test images")                      //
      ("test-labels", po::value<std::string>()->value_name("FILE"), "idx: test labels")                      //
      ("input", po::value<Texts>()->value_name("[NAME=]PATH[:HOW]"),
       "npy: a file; hdf5: a path in the files; :nhwc, :index (whole numbers), :real, :raw (not normalised). May be given again")  //
      ("target", po::value<Texts>()->value_name("[NAME=]PATH[:HOW]"),
       "what to predict; also :one-hot. csv: a column, by default the last. May be given again")                  //
      ("no-target", po::bool_switch(), "csv: the table holds none: for predict")                                  //
      ("weight", po::value<std::string>()->value_name("PATH"), "npy, hdf5: of each training sample in the loss")  //
      ("test-input", po::value<Texts>()->value_name("[NAME=]FILE[:HOW]"), "npy: of the test part")                //
      ("test-target", po::value<Texts>()->value_name("[NAME=]FILE[:HOW]"), "npy: of the test part")               //
      ("ignore", po::value<Texts>()->value_name("COLUMN"), "csv: leave it out. May be given again")               //
      ("one-hot", po::value<Texts>()->value_name("COLUMN[=A,B]"),
       "csv: a column of 0 and 1 for each of its values, or for these. May be given again")                                              //
      ("delimiter", po::value<std::string>()->default_value(""), "csv: by default the first of tab ; , and space in the first line")     //
      ("header", po::value<std::string>()->default_value("auto"), "csv: auto (if the first line is not all numbers), yes or no")         //
      ("task", po::value<std::string>()->default_value("auto"), "csv: auto, classification, regression or several (labels of 0 and 1)")  //
      ("missing", po::value<std::string>()->default_value("error"),
       "csv, npy, hdf5: error, or drop: leave out rows that lack a value, or hold NaN or infinity");
}

const Format& chosen_format(const po::variables_map& values) {
  const auto& name = values["format"].as<std::string>();
  const auto* const format = std::ranges::find(kFormats, name, &Format::name);
  if (format == kFormats.end()) {
    throw UsageError(fmt::format("there is no format '{}'; there are idx, csv, npy, hdf5, cifar10 and png", name));
  }
  const auto among = [](const Format& each, const std::string& option) {
    return each.options.find(" " + option + " ") != std::string_view::npos;
  };
  for (const auto& entry : values) {
    const std::string& option = entry.first;
    const bool of_some = std::ranges::any_of(kFormats, [&](const Format& each) { return among(each, option); });
    if (of_some && !entry.second.defaulted() && !among(*format, option)) {
      throw UsageError(fmt::format("--{} is not for import {}; its options are{}", option, name, format->options));
    }
  }
  return *format;
}

}  // namespace

int run_import(const Arguments& arguments) {
  Options options("import", "make a dataset of HDF5 shards from other files. FORMAT: idx (MNIST and its kin), csv, npy, hdf5, cifar10, png",
                  "lockstep import csv --data houses.csv --target price --test-fraction 0.2 --out data/houses");
  add_options(options.add());
  options.positional("format", 1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  const std::string out = values["out"].as<std::string>();
  const double fraction = values["test-fraction"].as<double>();
  Found found = chosen_format(values).read(values);
  if (drops_missing(values)) {
    found.train = finite_rows(std::move(found.train));
    found.test = found.test ? std::optional(finite_rows(*std::move(found.test))) : std::nullopt;
  }
  const std::int64_t left_out = found.train.left_out + (found.test ? found.test->left_out : 0);
  if (fraction != 0) {
    if (found.test) {
      throw UsageError("there is a test part already, so --test-fraction is not for this");
    }
    std::tie(found.train, found.test) = split_source(found.train, fraction, static_cast<std::uint64_t>(at_least_0(values, "seed")));
  }
  found.train = first_rows(std::move(found.train), at_least_0(values, "limit"));
  if (found.test) {
    found.test = first_rows(std::move(*found.test), at_least_0(values, "test-limit"));
  }
  import_rows(found.train, found.test, out, {found.class_names, at_least_0(values, "chunk-rows"), 0});
  std::cout << fmt::format("{} training and {} test rows in {}{}\n", found.train.rows, found.test ? found.test->rows : 0, out,
                           found.note.empty() ? "" : ": " + found.note);
  if (drops_missing(values)) {
    std::cout << fmt::format("left out {} rows that lack a value or hold NaN or infinity\n", left_out);
  }
  if (found.skipped > 0) {
    std::cout << fmt::format("skipped {} files: only .png and .PNG are read\n", found.skipped);
  }
  return 0;
}

}  // namespace lockstep::cli
