#include "formats/import_images.hpp"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "data/order.hpp"
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

std::vector<fs::path> children(const fs::path& folder, bool folders) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (folders ? entry.is_directory() && !name.starts_with(".") : name.ends_with(".png") || name.ends_with(".PNG")) {
      found.push_back(entry.path());
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> class_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& of_class : children(folder, true)) {
    names.push_back(of_class.filename().string());
  }
  return names;
}

/// Of the classes' folders, in keyed order.
std::vector<Picture> pictures(const fs::path& folder, const std::vector<std::string>& names) {
  std::vector<Picture> sorted;
  for (std::size_t label = 0; label < names.size(); ++label) {
    for (const fs::path& file :
         fs::is_directory(folder / names[label]) ? children(folder / names[label], false) : std::vector<fs::path>()) {
      sorted.push_back({file, static_cast<std::int32_t>(label)});
    }
  }
  if (sorted.empty()) {
    throw DataError(fmt::format("{0}: holds no images {0}/CLASS/*.png.", folder.string()));
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

ImageSet png_folders(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw DataError(fmt::format("{}: there is no such folder.", folder.string()));
  }
  const bool parts = fs::is_directory(folder / "train");
  const fs::path train = parts ? folder / "train" : folder;
  ImageSet set;
  set.class_names = class_names(train);
  const std::vector<Picture> all = pictures(train, set.class_names);
  const bool coloured = std::ranges::any_of(all, [](const Picture& picture) { return Png(picture.file).channels() == 3; });
  const std::int64_t channels = coloured ? 3 : 1;
  set.train = png_rows(train, set.class_names, channels);
  if (parts && fs::is_directory(folder / "test")) {
    for (const std::string& name : class_names(folder / "test")) {
      if (std::ranges::find(set.class_names, name) == set.class_names.end()) {
        throw DataError(fmt::format("{}: is a class that {} does not have.", (folder / "test" / name).string(), train.string()));
      }
    }
    set.test = png_rows(folder / "test", set.class_names, channels);
  }
  return set;
}

}  // namespace lockstep
