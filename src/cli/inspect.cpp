#include "formats/inspect.hpp"

#include <iostream>

#include "cli/commands.hpp"
#include "cli/data_options.hpp"

namespace lockstep::cli {

int run_inspect(const Arguments& arguments) {
  Options options("inspect", "show what is in a dataset, or in an HDF5 file made elsewhere, and what would trouble training",
                  "lockstep inspect 'parts/*.h5' --input features=/images:nhwc --target labels=/labels");
  options.add().add_options()                                                                                               //
      ("data", po::value<std::string>()->required()->value_name("DIR"), "a dataset, a folder of them, or HDF5 files")       //
      ("lanes", po::value<std::int64_t>()->default_value(0), "are there chunks enough for so many lanes? 0: for 8 and 64")  //
      ("classes", po::value<std::int64_t>()->default_value(0), "labels are below this; 0: as many as there are names");
  add_field_options(options.add());
  options.positional("data", 1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  const std::string data = values["data"].as<std::string>();
  const InspectOptions how{values["lanes"].as<std::int64_t>(), values["classes"].as<std::int64_t>(), data};
  const std::vector<FieldSource> sources = field_sources(values);
  std::cout << (sources.empty() ? inspect(data, how) : inspect_dataset(Dataset::open({expand_files(data), sources}), how));
  return 0;
}

}  // namespace lockstep::cli
