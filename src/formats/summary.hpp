#pragma once

#include <limits>

#include "data/dataset.hpp"

namespace lockstep {

/// Of finite numbers, added piece by piece; each piece is added up about its own mean, so that large offsets cost no digits (Chan,
/// Golub, LeVeque 1979).
struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;  ///< Σ (x − mean)²
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();

  void add(const Moments& other);
  /// 1 where all values are equal.
  [[nodiscard]] double deviation() const;
};

/// What all rows of one field come to.
struct FieldSummary {
  std::vector<Moments> parts;  ///< one a channel (rows of rank 3 and more) or column (f32 rows [n]), else one for all
  std::int64_t bad = 0;        ///< values that are NaN or infinite
  std::string first_bad;       ///< "in row 7 of shard-00000.h5"

  [[nodiscard]] Moments all() const;
  [[nodiscard]] Statistics statistics() const;
};

/// Adds rows up field by field, in their order.
class Summary {
 public:
  explicit Summary(const std::vector<Field>& fields);
  /// Rows of one field; the first of them is row `first` of `where`.
  void add(std::size_t field, std::span<const std::byte> rows, std::int64_t first, const std::string& where);

  [[nodiscard]] const std::vector<FieldSummary>& found() const { return found_; }

 private:
  std::vector<Field> fields_;
  std::vector<FieldSummary> found_;
};

/// Throws DataError naming the first value that is not finite: training would diverge.
void refuse_non_finite(const std::string& field, const FieldSummary& found);

/// What divides weights of samples by their mean. Throws DataError for weights that are negative or all zero.
[[nodiscard]] Statistics mean_weight(const std::string& field, const FieldSummary& found);

/// What a pass over all rows of a dataset finds.
struct DatasetSummary {
  std::vector<FieldSummary> fields;
  std::map<std::int32_t, std::int64_t> classes{};      ///< rows of each label, where there is one a row
  std::vector<std::string> shards_of_other_content{};  ///< than their checksum says
  std::string content{};                               ///< hash of all rows
};
[[nodiscard]] DatasetSummary summarise(const Dataset& dataset);

/// Looks through training files once: gives them the statistics of the fields that are normalised, and the hash of their content.
/// Weights of samples are divided by their mean. Throws DataError for values that are not finite, and for weights that are negative or
/// all zero.
void measure(DataFiles& files);

}  // namespace lockstep
