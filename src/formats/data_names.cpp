#include "formats/data_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/describe_data.hpp"
#include "data/hdf5.hpp"
#include "formats/csv_cell.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

/// As a checkpoint keeps them: what is no UTF-8 is replaced.
Texts as_kept(const Texts& texts) { return Json::parse(Json(texts).dump(-1, ' ', false, Json::error_handler_t::replace)).get<Texts>(); }

std::string quoted_for_shell(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return quoted + "'";
}

std::string name_at(const Texts& names, std::size_t place) { return place < names.size() ? "'" + names[place] + "'" : "no column"; }

void require_columns(const std::string& field, const Texts& wanted, const Texts& found, const std::string& where) {
  const auto place = static_cast<std::size_t>(std::ranges::mismatch(wanted, found).in1 - wanted.begin());
  if (place == wanted.size() && place == found.size()) {
    return;
  }
  std::string targets;
  for (const std::string& name : wanted) {
    targets += " --target " + quoted_for_shell(name);
  }
  const std::string advice = field == "labels" ? fmt::format("Name its targets so, and import it again with them in this order:{}", targets)
                                               : "Import it again from a table with these columns in this order (those with = are of "
                                                 "--one-hot COLUMN=VALUE,VALUE): " +
                                                     csv_line(wanted);
  throw DataError(fmt::format("{}: column {} of {} is {}, but that of the training set is {}.\n  {}", where, place + 1, field,
                              name_at(found, place), name_at(wanted, place), advice));
}

}  // namespace

DataNames names_of(const Dataset& dataset) {
  DataNames names{{}, as_kept(dataset.class_names())};
  if (!dataset.readings().empty()) {
    return names;
  }
  const Hdf5File file = Hdf5File::open(dataset.path() / dataset.shard_name(0));
  for (const Field& field : dataset.fields()) {
    const std::string attribute = "columns:" + field.name;
    if (!file.has_attribute(attribute)) {
      continue;
    }
    const Texts& found = names.columns[field.name] = as_kept(file.texts_attribute(attribute));
    if (std::ssize(found) != field.sample.elements()) {
      throw DataError(fmt::format("{}: names {} columns of {}, but there are {}.\n  Import the dataset again.", dataset.path().string(),
                                  found.size(), field.name, field.sample.elements()));
    }
  }
  return names;
}

nlohmann::ordered_json describe_with_names(const Dataset& dataset) {
  Json description = describe_data(dataset);
  const DataNames names = names_of(dataset);
  for (Json& field : description.at("fields")) {
    if (const auto found = names.columns.find(field.at("name").get<std::string>()); found != names.columns.end()) {
      field["columns"] = found->second;
    }
  }
  return description;
}

DataNames names_in(const nlohmann::ordered_json& description) {
  DataNames names{{}, description.value("classes", Texts())};
  for (const Json& field : description.at("fields")) {
    if (field.contains("columns")) {
      names.columns[field.at("name").get<std::string>()] = field.at("columns").get<Texts>();
    }
  }
  return names;
}

void require_names(const DataNames& wanted, const DataNames& found, const std::string& where, bool targets) {
  for (const auto& [field, names] : wanted.columns) {
    if (found.columns.contains(field) && (targets || field != "labels")) {
      require_columns(field, names, found.columns.at(field), where);
    }
  }
  const auto common = static_cast<std::ptrdiff_t>(std::min(wanted.classes.size(), found.classes.size()));  // either may lack the last ones
  if (targets && !std::equal(wanted.classes.begin(), wanted.classes.begin() + common, found.classes.begin())) {
    throw DataError(
        fmt::format("{}: the classes are {}, but those of the training set are {}, so the numbers mean other ones.\n"
                    "  Import it again with: --classes {}",
                    where, csv_line(found.classes), csv_line(wanted.classes), quoted_for_shell(csv_line(wanted.classes))));
  }
}

}  // namespace lockstep
