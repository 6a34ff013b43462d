#include "formats/import_csv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "formats/class_numbers.hpp"
#include "formats/compressed_file.hpp"
#include "formats/csv_cell.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kMostClasses = 10000;
constexpr std::size_t kFewValues = 20;
constexpr std::size_t kNumbersAtOnce = 1 << 18;
constexpr std::size_t kLongestLine = 16 << 20;

bool missing(std::string_view cell) {
  constexpr std::array<std::string_view, 8> kMissing{"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"};
  return std::ranges::find(kMissing, cell) != kMissing.end();
}

/// Cells, line by line.
class Table {
 public:
  Table(const std::filesystem::path& file, char delimiter) : file_(file), delimiter_(delimiter) {}

  [[nodiscard]] char delimiter() const { return delimiter_; }
  [[nodiscard]] std::string place() const { return fmt::format("{}, line {}", file_.name(), line_); }

  /// The next line that is not empty or blank; false at the end.
  bool next(std::vector<std::string>& cells) {
    std::string line;
    do {
      if (!read_line(line)) {
        return false;
      }
    } while (line.find_first_not_of(' ') == std::string::npos);
    if (delimiter_ == 0) {
      constexpr std::string_view kDelimiters = "\t;, ";
      const auto* const found = std::ranges::find_if(kDelimiters, [&](char c) { return line.find(c) != std::string::npos; });
      delimiter_ = found == kDelimiters.end() ? ',' : *found;
    }
    split(line, cells);
    return true;
  }

 private:
  bool read_line(std::string& line) {
    line.clear();
    ++line_;
    for (;;) {
      if (at_ == held_) {
        held_ = file_.read(buffer_);
        at_ = 0;
        if (held_ == 0) {
          break;
        }
      }
      const char c = static_cast<char>(buffer_[at_++]);
      if (c == '\n') {
        break;
      }
      if (c == '\0') {
        throw DataError(fmt::format(
            "{}: holds a NUL byte, so it is no table of text in UTF-8.\n  Of one in UTF-16 make: iconv -f UTF-16 -t UTF-8", place()));
      }
      if (line.size() == kLongestLine) {
        throw DataError(fmt::format("{}: is longer than {} MiB, which no row of a table is.", place(), kLongestLine >> 20));
      }
      line += c;
    }
    const bool ended = held_ == 0 && line.empty();
    if (line.ends_with('\r')) {
      line.pop_back();
    }
    if (line_ == 1 && line.starts_with("\xEF\xBB\xBF")) {
      line.erase(0, 3);
    }
    return !ended;
  }

  /// Blanks around a cell are not part of it.
  void split(const std::string& line, std::vector<std::string>& cells) const {
    if (!split_csv_line(line, delimiter_, cells)) {
      throw DataError(fmt::format("{}: a quote does not end.\n  A cell may not reach over several lines.", place()));
    }
    for (std::string& cell : cells) {
      const std::size_t begin = std::min(cell.find_first_not_of(" \t"), cell.size());
      cell = cell.substr(begin, cell.find_last_not_of(" \t") + 1 - begin);
    }
  }

  CompressedFile file_;
  char delimiter_;
  std::int64_t line_ = 0;
  std::array<std::uint8_t, 1 << 16> buffer_{};
  std::size_t at_ = 0;
  std::size_t held_ = 0;
};

/// Its place among the columns, by name or by number.
std::size_t column(const CsvForm& form, const std::string& wanted, const std::string& file) {
  if (const auto found = std::ranges::find(form.names, wanted); found != form.names.end()) {
    return static_cast<std::size_t>(found - form.names.begin());
  }
  if (const auto place = number_in(wanted); place && *place >= 1 && *place <= static_cast<double>(form.names.size())) {
    return static_cast<std::size_t>(*place) - 1;
  }
  throw UsageError(fmt::format("{}: there is no column '{}'; there are {}", file, wanted, fmt::join(form.names, ", ")));
}

/// Of COLUMN or COLUMN=A,B: the column's place, and its values if they are given.
std::pair<std::size_t, std::vector<std::string>> one_hot_column(const CsvForm& form, const std::string& wanted, const std::string& file) {
  const std::size_t equals = wanted.find('=');
  if (equals == std::string::npos || std::ranges::find(form.names, wanted) != form.names.end()) {
    return {column(form, wanted, file), {}};
  }
  std::vector<std::string> values;
  const bool whole = split_csv_line(wanted.substr(equals + 1), ',', values);
  if (!whole || values.front().empty() || std::set(values.begin(), values.end()).size() != values.size()) {
    throw UsageError(fmt::format("--one-hot {}: after = stand values with commas between them, each once", wanted));
  }
  return {column(form, wanted.substr(0, equals), file), values};
}

/// Calls `visit(cells)` for each row of data that is taken; returns how many are left out. The form's names must be known, or `form` be
/// being made.
template <class Visit>
std::int64_t for_each_row(Table& table, const CsvForm& form, std::vector<std::string> cells, bool first_is_data, const Visit& visit) {
  std::int64_t left_out = 0;
  for (bool more = first_is_data || table.next(cells); more; more = table.next(cells)) {
    if (cells.size() != form.names.size()) {
      throw DataError(fmt::format("{}: has {} cells, but there are {} columns.", table.place(), cells.size(), form.names.size()));
    }
    const auto lacks = [&](const CsvForm::Column& c) { return missing(cells[c.place]); };
    const auto feature = std::ranges::find_if(form.features, lacks);
    const auto target = std::ranges::find_if(form.targets, lacks);
    if (feature == form.features.end() && target == form.targets.end()) {
      visit(cells);
    } else if (!form.options.drop_missing) {
      throw DataError(fmt::format(
          "{}: the column '{}' has no value.\n  Leave out such rows with --missing drop, or the column with --ignore {}.", table.place(),
          (feature != form.features.end() ? *feature : *target).name, (feature != form.features.end() ? *feature : *target).name));
    } else {
      ++left_out;
    }
  }
  return left_out;
}

double target_number(const Table& table, const CsvForm::Column& column, const std::string& cell) {
  const std::optional<double> value = number_in(cell);
  if (!value) {
    throw DataError(
        fmt::format("{}: the target '{}' holds '{}', which is no number.\n"
                    "  Choose another --target, or take its values as classes: as the only --target, with --task classification.",
                    table.place(), column.name, cell));
  }
  return *value;
}

bool is_0_or_1(const std::string& cell) {
  const std::optional<double> value = number_in(cell);
  return value == 0.0 || value == 1.0;
}

std::int32_t label_of(const Table& table, const CsvForm::Column& column, const std::string& cell) {
  if (!is_0_or_1(cell)) {
    throw DataError(
        fmt::format("{}: the target '{}' holds '{}', but several labels are 0 or 1 each.\n"
                    "  Choose other columns with --target, or give --task regression for numbers.",
                    table.place(), column.name, cell));
  }
  return *number_in(cell) == 1 ? 1 : 0;
}

double feature_number(const Table& table, const CsvForm::Column& column, const std::string& cell) {
  const std::optional<double> value = number_in(cell);
  if (!value) {
    throw DataError(
        fmt::format("{0}: the column '{1}' holds '{2}', which is no number.\n"
                    "  Make a column for each of its values with --one-hot {1}, or leave it out with --ignore {1}.",
                    table.place(), column.name, cell));
  }
  return *value;
}

std::int32_t place_of(const Table& table, const CsvForm::Column& column, const std::string& cell) {
  const auto found = std::ranges::find(column.values, cell);
  if (found == column.values.end()) {
    const std::string values = fmt::format("{}", fmt::join(column.values, ", "));
    throw DataError(fmt::format(
        "{}: the column '{}' holds '{}', which {}", table.place(), column.name, cell,
        column.given_by.empty()
            ? fmt::format("the training rows do not have; they have {}.", values)
            : fmt::format("is not among those of {}: {}.\n  Name all that there are, or leave out such rows.", column.given_by, values)));
  }
  return static_cast<std::int32_t>(found - column.values.begin());
}

/// The names of the columns from the first line, which is data if there is no header.
void read_names(CsvForm& form, const Table& table, const std::vector<std::string>& first) {
  const bool numbers = std::ranges::all_of(first, [](const std::string& cell) { return number_in(cell) || missing(cell); });
  form.header = form.options.header.value_or(!numbers);
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::size_t same = places.emplace(first[i], i).first->second;
    if (form.header && !first[i].empty() && same < i) {
      throw DataError(fmt::format(
          "{}: the columns {} and {} are both named '{}'.\n  Rename one of them; if this line is a row of data, give --header no.",
          table.place(), same + 1, i + 1, first[i]));
    }
    form.names.push_back(form.header ? first[i] : fmt::format("{}", i + 1));
  }
}

void choose_columns(CsvForm& form, const std::string& file) {
  std::vector<std::size_t> targets;
  for (const std::string& name : form.options.targets) {
    targets.push_back(column(form, name, file));
  }
  if (targets.empty() && form.task != CsvTask::unlabelled) {
    targets.push_back(form.names.size() - 1);
  }
  std::set<std::size_t> taken;
  for (const std::size_t place : targets) {
    form.targets.push_back({place, form.names[place]});
    taken.insert(place);
  }
  for (const std::string& name : form.options.ignored) {
    taken.insert(column(form, name, file));
  }
  for (std::size_t place = 0; place < form.names.size(); ++place) {
    if (!taken.contains(place)) {
      form.features.push_back({place, form.names[place]});
    }
  }
  if (form.features.empty()) {
    throw UsageError(fmt::format("{}: no column is left for features", file));
  }
}

/// What the targets, with the values that each holds, are for.
CsvTask task_of(const CsvForm& form, const std::vector<std::set<std::string>>& targets) {
  if (form.options.task != CsvTask::by_values) {
    return form.options.task;
  }
  if (targets.size() > 1) {
    const auto are_labels = [](const std::set<std::string>& values) { return std::ranges::all_of(values, is_0_or_1); };
    return std::ranges::all_of(targets, are_labels) ? CsvTask::several : CsvTask::regression;
  }
  const std::set<std::string>& values = targets[0];
  const auto whole = [](const std::string& v) {
    const auto value = number_in(v);
    return value && *value == std::floor(*value) && v.find_first_of(".eE") == std::string::npos;
  };
  const bool classes = !form.options.classes.empty() || std::ranges::any_of(values, [](const std::string& v) { return !number_in(v); }) ||
                       (values.size() <= kFewValues && std::ranges::all_of(values, whole));
  return classes ? CsvTask::classification : CsvTask::regression;
}

/// Several labels get the names that are given, in the order of their columns.
void name_labels(CsvForm& form, const std::string& file) {
  if (form.task == CsvTask::regression) {
    throw UsageError(fmt::format("{}: --classes names classes, but the targets are numbers to predict", file));
  }
  if (form.options.classes.size() != form.targets.size()) {
    throw UsageError(fmt::format("{}: --classes gives {} names for {} targets", file, form.options.classes.size(), form.targets.size()));
  }
  form.classes = form.options.classes;
}

/// Rows as numbers, handed on some at a time.
class RowBuffer {
 public:
  RowBuffer(const CsvForm& form, const RowSink& take) : form_(form), take_(take) {}

  void add(const Table& table, const std::vector<std::string>& row) {
    for (const CsvForm::Column& feature : form_.features) {
      if (feature.values.empty()) {
        features_.push_back(static_cast<float>(feature_number(table, feature, row[feature.place])));
        continue;
      }
      features_.insert(features_.end(), feature.values.size(), 0.0F);
      *(features_.end() - std::ssize(feature.values) + place_of(table, feature, row[feature.place])) = 1;
    }
    for (const CsvForm::Column& target : form_.targets) {
      const std::string& cell = row[target.place];
      if (form_.task == CsvTask::regression) {
        numbers_.push_back(static_cast<float>(target_number(table, target, cell)));
      } else {
        classes_.push_back(form_.classifies() ? place_of(table, target, cell) : label_of(table, target, cell));
      }
    }
    ++held_;
    if (features_.size() + numbers_.size() + classes_.size() >= kNumbersAtOnce) {
      flush();
    }
  }

  void flush() {
    if (held_ > 0) {
      const auto labels = form_.task == CsvTask::regression ? std::as_bytes(std::span(numbers_)) : std::as_bytes(std::span(classes_));
      const std::array both{std::as_bytes(std::span(features_)), labels};
      take_(std::span(both).first(form_.targets.empty() ? 1 : 2));
    }
    features_.clear();
    numbers_.clear();
    classes_.clear();
    held_ = 0;
  }

 private:
  const CsvForm& form_;
  const RowSink& take_;
  std::vector<float> features_;
  std::vector<float> numbers_;
  std::vector<std::int32_t> classes_;
  std::size_t held_ = 0;
};

}  // namespace

std::string CsvForm::describe() const {
  std::size_t width = 0;
  for (const Column& feature : features) {
    width += std::max<std::size_t>(1, feature.values.size());
  }
  std::vector<std::string> of;
  for (const Column& target : targets) {
    of.push_back("'" + target.name + "'");
  }
  if (targets.empty()) {
    return fmt::format("{} features; no target", width);
  }
  const std::string what = classifies()               ? fmt::format("{} classes of", targets[0].values.size())
                           : task == CsvTask::several ? "labels of 0 and 1 (train with --loss sigmoid-cross-entropy):"
                                                      : "numbers of";
  return fmt::format("{} features; {} {}", width, what, fmt::join(of, ", "));
}

std::vector<std::string> CsvForm::class_names() const {
  std::vector<std::string> names_of_targets;
  for (const Column& target : targets) {
    names_of_targets.push_back(target.name);
  }
  return task == CsvTask::several && classes.empty() ? names_of_targets : classes;
}

std::map<std::string, std::vector<std::string>> CsvForm::columns() const {
  std::map<std::string, std::vector<std::string>> named;
  for (const Column& feature : features) {
    for (const std::string& value : feature.values) {
      named["features"].push_back(feature.name + "=" + value);
    }
    if (feature.values.empty()) {
      named["features"].push_back(feature.name);
    }
  }
  for (const Column& target : targets) {
    named["labels"].push_back(target.name);
  }
  if (!header) {
    named.erase("labels");
    if (std::ranges::all_of(features, [](const Column& feature) { return feature.values.empty(); })) {
      named.clear();
    }
  }
  return named;
}

CsvForm csv_form(const std::filesystem::path& file, const CsvOptions& options) {
  CsvForm form{options, options.task, false, ',', {}, {}, {}};
  Table table(file, options.delimiter);
  std::vector<std::string> cells;
  if (!table.next(cells)) {
    throw DataError(fmt::format("{}: is empty.", file.string()));
  }
  form.delimiter = table.delimiter();
  read_names(form, table, cells);
  choose_columns(form, file.string());
  if (options.task == CsvTask::unlabelled && !(options.targets.empty() && options.classes.empty())) {
    throw UsageError("--no-target says that the table holds no target, so neither --target nor --classes is for it");
  }
  if (options.task == CsvTask::classification && form.targets.size() > 1) {
    throw UsageError("--task classification takes one --target");
  }
  if (options.task == CsvTask::several && form.targets.size() < 2) {
    throw UsageError("--task several takes more than one --target; one of 0 and 1 is for --task classification");
  }
  std::map<std::size_t, std::vector<std::string>> texts;
  for (const std::string& name : options.one_hot) {
    const auto [place, values] = one_hot_column(form, name, file.string());
    if (!texts.emplace(place, values).second || std::ranges::find(form.features, place, &CsvForm::Column::place) == form.features.end()) {
      throw UsageError(fmt::format("--one-hot {}: the column is given twice, or is no feature", name));
    }
  }
  std::vector<std::set<std::string>> target_values(form.targets.size());
  std::vector<std::set<std::string>> values(form.features.size());
  for_each_row(table, form, cells, !form.header, [&](const std::vector<std::string>& row) {
    for (std::size_t f = 0; f < form.features.size(); ++f) {
      const CsvForm::Column& feature = form.features[f];
      if (const auto text = texts.find(feature.place); text != texts.end()) {
        if (!text->second.empty()) {
          continue;
        }
        values[f].insert(row[feature.place]);
        if (values[f].size() > kMostClasses) {
          throw DataError(
              fmt::format("{}: the column '{}' has more than {} values, too many for a column each.\n  Leave it out: --ignore {}",
                          table.place(), feature.name, kMostClasses, feature.name));
        }
      } else {
        static_cast<void>(feature_number(table, feature, row[feature.place]));
      }
    }
    for (std::size_t t = 0; t < form.targets.size(); ++t) {
      if (target_values[t].size() <= kMostClasses) {
        target_values[t].insert(row[form.targets[t].place]);
      }
    }
  });
  for (std::size_t f = 0; f < form.features.size(); ++f) {
    CsvForm::Column& feature = form.features[f];
    feature.values = in_order(values[f]);
    if (const auto text = texts.find(feature.place); text != texts.end() && !text->second.empty()) {
      feature.values = text->second;
      feature.given_by = "--one-hot " + feature.name;
    }
  }
  form.task = task_of(form, target_values);
  if (form.classifies()) {
    if (target_values[0].size() > kMostClasses) {
      throw DataError(
          fmt::format("{}: the column '{}' has more than {} values, which are no classes.\n  Give --task regression for numbers.",
                      file.string(), form.targets[0].name, kMostClasses));
    }
    ClassNumbers numbers =
        number_classes(target_values[0], options.classes, fmt::format("{}, column '{}'", file.string(), form.targets[0].name));
    form.targets[0].values = std::move(numbers.labels);
    form.targets[0].given_by = form.targets[0].values == options.classes ? "--classes" : "";
    form.classes = std::move(numbers.names);
  } else if (!options.classes.empty()) {
    name_labels(form, file.string());
  }
  return form;
}

RowSource csv_rows(const std::filesystem::path& file, const CsvForm& form) {
  std::int64_t width = 0;
  for (const CsvForm::Column& feature : form.features) {
    width += std::max<std::int64_t>(1, std::ssize(feature.values));
  }
  const auto targets = static_cast<std::int64_t>(form.targets.size());
  RowSource source;
  source.fields = {{"features", {width}, DType::f32}};
  if (targets > 0) {
    source.fields.push_back({"labels", targets > 1 ? Shape{targets} : Shape(), form.task == CsvTask::regression ? DType::f32 : DType::i32});
  }
  source.normalised = {"features"};
  source.columns = form.columns();
  if (form.task == CsvTask::regression) {
    source.normalised.insert("labels");
  }
  const auto rows = [file, form](const auto& visit) {
    Table table(file, form.delimiter);
    std::vector<std::string> cells;
    const bool any = table.next(cells);
    if (any && form.header && cells != form.names) {
      throw DataError(fmt::format("{}: has the columns {}, but the training rows have {}.", file.string(), fmt::join(cells, ", "),
                                  fmt::join(form.names, ", ")));
    }
    return for_each_row(table, form, cells, any && !form.header, [&](const std::vector<std::string>& row) { visit(table, row); });
  };
  source.left_out = rows([&](const Table&, const std::vector<std::string>&) { ++source.rows; });
  if (source.rows == 0) {
    throw DataError(fmt::format("{}: holds no rows.", file.string()));
  }
  source.read = [form, rows](const RowSink& take) {
    RowBuffer buffer(form, take);
    rows([&](const Table& table, const std::vector<std::string>& row) { buffer.add(table, row); });
    buffer.flush();
  };
  return source;
}

}  // namespace lockstep
