#include <fmt/format.h>

#include <iostream>

#include "cli/commands.hpp"
#include "data/import_idx.hpp"

namespace lockstep::cli {

int run_import(const Arguments& arguments) {
  Options options("import", "make a dataset of HDF5 shards from other files. FORMAT: idx (MNIST and its kin, plain, .gz or .xz)",
                  "lockstep import idx --images train-images-idx3-ubyte.gz --labels train-labels-idx1-ubyte.gz --out data/mnist");
  options.add().add_options()                                                                                                  //
      ("format", po::value<std::string>()->required(), "idx")                                                                  //
      ("images", po::value<std::string>()->required()->value_name("FILE"), "training images")                                  //
      ("labels", po::value<std::string>()->required()->value_name("FILE"), "training labels")                                  //
      ("test-images", po::value<std::string>()->value_name("FILE"), "test images")                                             //
      ("test-labels", po::value<std::string>()->value_name("FILE"), "test labels")                                             //
      ("out", po::value<std::string>()->required()->value_name("DIR"), "the dataset: DIR/train and DIR/test")                  //
      ("classes", po::value<std::string>()->default_value(""), "names of the classes, separated by commas, or fashion-mnist")  //
      ("limit", po::value<std::int64_t>()->default_value(0), "the first so many training rows only")                           //
      ("test-limit", po::value<std::int64_t>()->default_value(0), "the first so many test rows only");
  options.positional("format", 1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  if (values["format"].as<std::string>() != "idx") {
    throw UsageError(fmt::format("there is no format '{}'; there is idx", values["format"].as<std::string>()));
  }
  if (values.contains("test-images") != values.contains("test-labels")) {
    throw UsageError("--test-images and --test-labels belong together");
  }
  for (const char* limit : {"limit", "test-limit"}) {
    if (values[limit].as<std::int64_t>() < 0) {
      throw UsageError(fmt::format("--{} must be at least 0, not {}", limit, values[limit].as<std::int64_t>()));
    }
  }
  IdxImport what;
  what.train = {values["images"].as<std::string>(), values["labels"].as<std::string>(), values["limit"].as<std::int64_t>()};
  if (values.contains("test-images")) {
    what.test =
        IdxPair{values["test-images"].as<std::string>(), values["test-labels"].as<std::string>(), values["test-limit"].as<std::int64_t>()};
  }
  const std::string classes = values["classes"].as<std::string>();
  what.class_names = classes == "fashion-mnist" ? fashion_mnist_classes() : split_names(classes);
  const ImportResult result = import_idx(what, values["out"].as<std::string>());
  std::cout << fmt::format("{} training and {} test rows in {} (mean {:.2f}, deviation {:.2f})\n", result.train_rows, result.test_rows,
                           values["out"].as<std::string>(), result.mean, result.std);
  return 0;
}

}  // namespace lockstep::cli
