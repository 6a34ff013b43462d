#include "data/describe_data.hpp"

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"input", "target", "weight"};  // in the order of Role

}  // namespace

nlohmann::ordered_json describe_data(const Dataset& dataset) {
  nlohmann::ordered_json fields = nlohmann::ordered_json::array();
  for (std::size_t f = 0; f < dataset.fields().size(); ++f) {
    const Field& field = dataset.fields()[f];
    const Statistics& statistics = dataset.statistics(field.name);
    nlohmann::ordered_json json{{"name", field.name},
                                {"dtype", name_of(field.dtype)},
                                {"sample", field.sample.dims()},
                                {"mean", statistics.mean},
                                {"std", statistics.std}};
    if (!dataset.readings().empty()) {
      const FieldSource& source = dataset.readings()[f].source;
      json["role"] = kRoles.at(static_cast<std::size_t>(source.role));
      json["source"] = source.text();
    }
    fields.push_back(std::move(json));
  }
  return {{"fields", std::move(fields)}, {"classes", dataset.class_names()}};
}

std::map<std::string, Statistics> statistics_in(const nlohmann::ordered_json& description) {
  std::map<std::string, Statistics> statistics;
  for (const auto& field : description.at("fields")) {
    if (auto mean = field.at("mean").get<std::vector<double>>(); !mean.empty()) {
      statistics[field.at("name").get<std::string>()] = {std::move(mean), field.at("std").get<std::vector<double>>()};
    }
  }
  return statistics;
}

DataFiles files_like(const nlohmann::ordered_json& description, std::vector<std::filesystem::path> files) {
  DataFiles data{std::move(files), {}};
  data.statistics = statistics_in(description);
  for (const auto& field : description.at("fields")) {
    if (field.contains("source")) {
      const auto role = std::ranges::find(kRoles, field.at("role").get<std::string>()) - kRoles.begin();
      data.sources.push_back(FieldSource::parse(field.at("source").get<std::string>(), static_cast<Role>(role)));
    }
  }
  return data;
}

}  // namespace lockstep
