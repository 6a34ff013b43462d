#pragma once

#include <nlohmann/json.hpp>

#include "data/dataset.hpp"

namespace lockstep {

/// Names of a field's columns, by field: of features one a column, of labels one a target.
using ColumnNames = std::map<std::string, std::vector<std::string>>;

/// What a dataset calls its columns and classes; what it does not name is not there. Numbers alone do not tell whether two datasets mean
/// the same by them.
struct DataNames {
  ColumnNames columns;
  std::vector<std::string> classes;
};

/// Of columns: the attributes columns:FIELD of a dataset of ours. Throws DataError if there are not as many as columns.
[[nodiscard]] DataNames names_of(const Dataset& dataset);

/// describe_data, with "columns": [names] in the fields whose columns have some.
[[nodiscard]] nlohmann::ordered_json describe_with_names(const Dataset& dataset);
/// The names in such a description.
[[nodiscard]] DataNames names_in(const nlohmann::ordered_json& description);

/// Throws DataError where both sides name the columns of a field (`targets`: of labels too, and classes) and the names differ. It names
/// `where`, which holds the `found` ones, and what to do.
void require_names(const DataNames& wanted, const DataNames& found, const std::string& where, bool targets);

}  // namespace lockstep
