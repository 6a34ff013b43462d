#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/row_source.hpp"

namespace lockstep {

/// Images and their classes: features u8 [channels, height, width], labels i32 [].
struct ImageSet {
  RowSource train;
  std::optional<RowSource> test;
  std::vector<std::string> class_names;
  std::int64_t skipped = 0;  ///< other files beside the images
};

/// The binary version of CIFAR-10: data_batch_1.bin … data_batch_5.bin, test_batch.bin, batches.meta.txt, each record a class and
/// 3 × 32 × 32 bytes (Krizhevsky 2009). Throws DataError naming the file that is missing or cut short.
[[nodiscard]] ImageSet cifar10(const std::filesystem::path& folder);

/// Folders of PNG images, one a class, named by it: FOLDER/CLASS/*.png, or FOLDER/train/CLASS and FOLDER/test/CLASS. All have one size;
/// they are grey if all are, else red, green, blue; palettes, 16 bits and transparency (over black) are converted. In an order
/// permuted by a fixed key, so that the last rows are of all classes. Classes are numbered as number_classes says, without `classes` in
/// the order of letters. Throws DataError naming the image that is damaged or of another size, and the folder that is none of `classes`.
[[nodiscard]] ImageSet png_folders(const std::filesystem::path& folder, const std::vector<std::string>& classes = {});

}  // namespace lockstep
