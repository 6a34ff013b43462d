#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/dataset_writer.hpp"
#include "lockstep/error.hpp"

namespace lockstep::testing {

/// A folder of this test alone, removed at its end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::temp_directory_path() /
            (std::string("lockstep-") + test->test_suite_name() + "-" + test->name() + "-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Element j of row i of the sample datasets: u8, different in neighbouring rows.
inline std::uint8_t sample_value(std::int64_t row, std::int64_t j) { return static_cast<std::uint8_t>((row * 31 + j * 7) % 251); }
/// Labels are the row numbers, so that every row can be told apart.
inline std::int32_t sample_label(std::int64_t row) { return static_cast<std::int32_t>(row); }

/// features u8 [n, 2, 3], labels i32 [n].
inline Dataset make_dataset(const std::filesystem::path& folder, std::int64_t rows, DatasetOptions options) {
  std::vector<std::uint8_t> features;
  std::vector<std::int32_t> labels;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t j = 0; j < 6; ++j) {
      features.push_back(sample_value(row, j));
    }
    labels.push_back(sample_label(row));
  }
  DatasetWriter writer(folder, {{"features", {2, 3}, DType::u8}, {"labels", {}, DType::i32}}, rows, std::move(options));
  const std::vector<std::span<const std::byte>> values{std::as_bytes(std::span(features)), std::as_bytes(std::span(labels))};
  writer.append(values);
  writer.close();
  return Dataset::open(folder);
}

inline std::vector<char> file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
}

/// Flips one bit in the stored features of a row of `make_dataset`'s, as a failing disk would.
inline void flip_bit_of_row(const std::filesystem::path& shard, std::int64_t row) {
  std::vector<char> bytes = file_bytes(shard);
  std::vector<char> pattern;
  for (std::int64_t i = 0; i < 18; ++i) {
    pattern.push_back(static_cast<char>(sample_value(row + i / 6, i % 6)));
  }
  const auto found = std::search(bytes.begin(), bytes.end(), pattern.begin(), pattern.end());
  ASSERT_NE(found, bytes.end());
  *found = static_cast<char>(*found ^ 4);
  write_bytes(shard, bytes);
}

/// The text of the Error that `action` throws; fails the test if it throws none.
template <class E = DataError, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

inline void expect_contains(const std::string& text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

}  // namespace lockstep::testing
