#include "formats/import_images.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "data/order.hpp"
#include "formats/class_numbers.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

std::vector<Field> image_fields(std::int64_t channels, std::int64_t height, std::int64_t width) {
  return {{"features", {channels, height, width}, DType::u8}, {"labels", {}, DType::i32}};
}

void take_image(const RowSink& take, std::span<const std::uint8_t> pixels, std::int32_t label) {
  take(std::array{std::as_bytes(pixels), std::as_bytes(std::span(&label, 1))});
}

// ---- CIFAR-10 ----

constexpr std::int64_t kCifarPixels = 3 * 32 * 32;

RowSource cifar_rows(const std::vector<fs::path>& files) {
  RowSource source{image_fields(3, 32, 32), 0, {"features"}, {}};
  for (const fs::path& file : files) {
    const auto bytes = fs::exists(file) ? static_cast<std::int64_t>(fs::file_size(file)) : 0;
    if (bytes == 0 || bytes % (kCifarPixels + 1) != 0) {
      throw DataError(fmt::format("{}: {}.\n  Take the binary version (cifar-10-binary.tar.gz) and unpack it.", file.string(),
                                  bytes == 0 ? "is not there, or empty" : "is cut short"));
    }
    source.rows += bytes / (kCifarPixels + 1);
  }
  source.read = [files](const RowSink& take) {
    std::array<std::uint8_t, kCifarPixels + 1> record{};
    for (const fs::path& file : files) {
      std::ifstream in(file, std::ios::binary);
      while (in.read(reinterpret_cast<char*>(record.data()), std::ssize(record))) {
        take_image(take, std::span(record).subspan(1), record[0]);
      }
    }
  };
  return source;
}

// ---- PNG ----

struct Picture {
  fs::path file;
  std::int32_t label = 0;
};

/// libpng's simplified interface: it converts to what is asked for.
class Png {
 public:
  explicit Png(const fs::path& file) : file_(file) {
    image_.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_file(&image_, file.c_str()) == 0) {
      refuse();
    }
  }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  ~Png() { png_image_free(&image_); }

  [[nodiscard]] std::int64_t width() const { return image_.width; }
  [[nodiscard]] std::int64_t height() const { return image_.height; }
  [[nodiscard]] std::int64_t channels() const { return (image_.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1; }
  /// Row by row, `channels` numbers a pixel.
  void read(std::int64_t channels, std::vector<std::uint8_t>& pixels) {
    image_.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    pixels.resize(PNG_IMAGE_SIZE(image_));
    const png_color black{0, 0, 0};
    if (png_image_finish_read(&image_, &black, pixels.data(), 0, nullptr) == 0) {
      refuse();
    }
  }

 private:
  [[noreturn]] void refuse() { throw DataError(fmt::format("{}: cannot be read as PNG ({}).", file_.string(), image_.message)); }

  fs::path file_;
  png_image image_{};
};

enum class Kind : std::uint8_t { folder, image, other };

/// What begins with a dot is none of them.
std::vector<fs::path> children(const fs::path& folder, Kind wanted) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool image = name.ends_with(".png") || name.ends_with(".PNG");
    const Kind kind = entry.is_directory() ? Kind::folder : image ? Kind::image : Kind::other;
    if (kind == wanted && !name.starts_with(".")) {
      found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> class_folders(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& of_class : children(folder, Kind::folder)) {
    names.push_back(of_class.filename().string());
  }
  return names;
}

/// Throws DataError naming the first folder that is none of the classes.
void require_classes(const fs::path& folder, const std::vector<std::string>& classes, const char* otherwise) {
  for (const std::string& name : class_folders(folder)) {
    if (std::ranges::find(classes, name) == classes.end()) {
      throw DataError(fmt::format("{}: {} {}.\n  Name every folder of a class, or move it elsewhere.", (folder / name).string(), otherwise,
                                  fmt::join(classes, ", ")));
    }
  }
}

/// Files in the classes' folders, and beside these, that are no images by their names.
std::int64_t other_files(const fs::path& folder) {
  std::int64_t count = std::ssize(children(folder, Kind::other));
  for (const fs::path& of_class : children(folder, Kind::folder)) {
    count += std::ssize(children(of_class, Kind::other));
  }
  return count;
}

/// Of the classes' folders, in keyed order.
std::vector<Picture> pictures(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<Picture> sorted;
  for (std::size_t label = 0; label < names.size(); ++label) {
    for (const fs::path& file :
         fs::is_directory(folder / names[label]) ? children(folder / names[label], Kind::image) : std::vector<fs::path>()) {
      sorted.push_back({file, static_cast<std::int32_t>(label)});
    }
  }
  if (sorted.empty()) {
    const std::int64_t others = other_files(folder);
    throw DataError(fmt::format("{0}: holds no images {0}/CLASS/*.png.{1}", folder.string(),
                                others > 0 ? fmt::format("\n  There are {} other files; only .png and .PNG are read.", others) : ""));
  }
  std::vector<Picture> mixed;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    mixed.push_back(sorted[permuted(i, sorted.size(), philox_key(0, "import", "png"), 0)]);
  }
  return mixed;
}

RowSource png_rows(const fs::path& folder, const std::vector<std::string>& names, std::int64_t channels) {
  const std::vector<Picture> files = pictures(folder, names);
  const Png first(files[0].file);
  RowSource source{image_fields(channels, first.height(), first.width()), std::ssize(files), {"features"}, {}};
  source.read = [files, channels, height = first.height(), width = first.width()](const RowSink& take) {
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint8_t> planes;
    for (const Picture& picture : files) {
      Png png(picture.file);
      if (png.height() != height || png.width() != width) {
        throw DataError(fmt::format("{}: is {} x {}, but {} is {} x {}.\n  Make all images the same size first.", picture.file.string(),
                                    png.height(), png.width(), files[0].file.string(), height, width));
      }
      png.read(channels, pixels);
      planes.resize(pixels.size());
      const auto size = pixels.size() / static_cast<std::size_t>(channels);
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        planes[i] = pixels[i % size * static_cast<std::size_t>(channels) + i / size];
      }
      take_image(take, planes, picture.label);
    }
  };
  return source;
}

}  // namespace

ImageSet cifar10(const fs::path& folder) {
  std::vector<fs::path> batches;
  for (int i = 1; i <= 5; ++i) {
    batches.push_back(folder / fmt::format("data_batch_{}.bin", i));
  }
  ImageSet set{cifar_rows(batches), cifar_rows({folder / "test_batch.bin"}), {}};
  std::ifstream names(folder / "batches.meta.txt");
  for (std::string name; std::getline(names, name);) {
    if (!name.empty()) {
      set.class_names.push_back(name);
    }
  }
  return set;
}

ImageSet png_folders(const fs::path& folder, const std::vector<std::string>& classes) {
  if (!fs::is_directory(folder)) {
    throw DataError(fmt::format("{}: there is no such folder.", folder.string()));
  }
  const bool parts = fs::is_directory(folder / "train");
  const fs::path train = parts ? folder / "train" : folder;
  ImageSet set;
  const std::vector<std::string> folders = class_folders(train);
  const ClassNumbers numbers =
      classes.empty() ? ClassNumbers{folders, folders} : number_classes({folders.begin(), folders.end()}, classes, train.string());
  set.class_names = numbers.names;
  require_classes(train, numbers.labels, "is not among --classes");
  const std::vector<Picture> all = pictures(train, numbers.labels);
  const bool coloured = std::ranges::any_of(all, [](const Picture& picture) { return Png(picture.file).channels() == 3; });
  const std::int64_t channels = coloured ? 3 : 1;
  set.train = png_rows(train, numbers.labels, channels);
  set.skipped = other_files(train);
  if (parts && fs::is_directory(folder / "test")) {
    require_classes(folder / "test", numbers.labels,
                    classes.empty() ? "is a class that the training part does not have; it has" : "is not among --classes");
    set.test = png_rows(folder / "test", numbers.labels, channels);
    set.skipped += other_files(folder / "test");
  }
  return set;
}

}  // namespace lockstep
