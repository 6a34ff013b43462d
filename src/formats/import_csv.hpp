#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/row_source.hpp"

namespace lockstep {

enum class CsvTask : std::uint8_t { by_values, classification, regression, several, unlabelled };

/// How to take the columns of a table of text. Columns are named as in the header, or by number from 1.
struct CsvOptions {
  char delimiter = 0;                  ///< 0: the first of tab ; , and space that the first line holds
  std::optional<bool> header{};        ///< none: there is one if a cell of the first line is no number
  std::vector<std::string> targets{};  ///< empty: the last column
  std::vector<std::string> ignored{};
  /// Columns of text that become a column of 0 and 1 for each of their values: COLUMN, or COLUMN=A,B for these values in this order.
  std::vector<std::string> one_hot{};
  std::vector<std::string> classes{};  ///< of the target, in the order of their numbers, see number_classes; of several labels: their names
  /// By values: one target is classes if `classes` are given, if it is text, or whole numbers of at most 20 values; several are labels if
  /// all hold only 0 and 1. Unlabelled: no column is a target.
  CsvTask task = CsvTask::by_values;
  bool drop_missing = false;  ///< leave out rows with an empty cell, NA, NaN, null or ?; else these are errors
};

/// What the columns of a training table come to.
struct CsvForm {
  struct Column {
    std::size_t place = 0;
    std::string name;
    std::vector<std::string> values{};  ///< of a one-hot column, in order
    std::string given_by{};             ///< the option that the values are from; empty: the training rows
  };
  CsvOptions options;
  CsvTask task;  ///< as found; never by_values
  bool header = false;
  char delimiter = ',';
  std::vector<std::string> names;  ///< of all columns
  std::vector<Column> features;
  std::vector<Column> targets;         ///< where they are classes, `values` are their labels in the table, by number
  std::vector<std::string> classes{};  ///< their names
  [[nodiscard]] bool classifies() const { return task == CsvTask::classification; }
  /// Of features, a one-hot column's as NAME=VALUE, and of labels. Without a header only those of features with a one-hot column among
  /// them.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> columns() const;
  /// Of classes, of several labels (of their columns if none are given), else none.
  [[nodiscard]] std::vector<std::string> class_names() const;
  /// "8 features; classes of 'kind': cat, dog"
  [[nodiscard]] std::string describe() const;
};

/// Reads a table (plain, gzip or xz) once. Throws DataError naming line and column, UsageError for columns that are not there and for
/// options that do not fit the targets.
[[nodiscard]] CsvForm csv_form(const std::filesystem::path& file, const CsvOptions& options);

/// features f32 [columns]; labels i32 [] for classes, i32 [targets] of 0 and 1 for several labels, none where there is no target, else f32
/// [] or [targets]; all f32 normalised. Reads the table once to count its rows. Throws DataError for a table of another form.
[[nodiscard]] RowSource csv_rows(const std::filesystem::path& file, const CsvForm& form);

}  // namespace lockstep
