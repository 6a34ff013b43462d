// Readers of what `lockstep import` takes: IDX, packed or not, tables, numpy's arrays.
#include <lzma.h>
#include <zlib.h>

#include "formats/compressed_file.hpp"
#include "formats/import_csv.hpp"
#include "formats/import_idx.hpp"
#include "formats/import_npy.hpp"
#include "fuzz/target.hpp"

namespace lockstep::fuzz {
namespace {

/// Two images of 2 × 3 and their labels.
Bytes images() { return {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}; }
Bytes labels() { return {0, 0, 8, 1, 0, 0, 0, 2, 0, 1}; }

Bytes gzipped(const Bytes& plain) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, plain.size()));
  stream.next_in = const_cast<std::uint8_t*>(plain.data());
  stream.avail_in = static_cast<unsigned>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<unsigned>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Bytes xz(const Bytes& plain) {
  Bytes packed(lzma_stream_buffer_bound(plain.size()));
  std::size_t size = 0;
  static_cast<void>(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, nullptr, plain.data(), plain.size(), packed.data(), &size, packed.size()));
  packed.resize(size);
  return packed;
}

/// The first byte is the length of the images' file, the rest are both files.
void run_idx(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::size_t length = input.length();
  const auto first = scratch_file("images", input.rest().first(length));
  read_through(idx_rows(first, scratch_file("labels", input.rest().subspan(length))));
}

std::vector<Bytes> idx_seeds() {
  const auto both = [](const Bytes& first, const Bytes& second) {
    return joined({{static_cast<std::uint8_t>(first.size())}, first, second});
  };
  return {both(images(), labels()), both(gzipped(images()), xz(labels()))};
}

/// More than this is not asked of it: what it unpacks goes on piece by piece.
constexpr std::size_t kMostUnpacked = 16 << 20;

void run_packed(std::span<const std::uint8_t> bytes) {
  CompressedFile file(scratch_file("packed", bytes));
  std::vector<std::uint8_t> piece(1 << 16);
  for (std::size_t total = 0; total < kMostUnpacked;) {
    const std::size_t got = file.read(piece);
    total += got;
    if (got < piece.size()) {
      break;
    }
  }
}

std::vector<Bytes> packed_seeds() {
  const Bytes zeros(100000, 0);
  return {gzipped(images()),
          xz(images()),
          gzipped(zeros),
          xz(zeros),
          joined({xz(labels()), xz(labels())}),
          joined({gzipped(labels()), gzipped(labels())}),
          images()};
}

/// The first byte says how to take the table, the rest is the table.
void run_csv(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  CsvOptions options;
  options.delimiter = "\0,;\t"[how & 3];
  options.header = (how & 4) != 0 ? std::optional((how & 8) != 0) : std::nullopt;
  options.task = static_cast<CsvTask>((how >> 4) & 3);
  options.drop_missing = (how & 64) != 0;
  if ((how & 128) != 0) {
    options.one_hot = {"1"};
    options.targets = {"2", "3"};
  }
  const auto file = scratch_file("table.csv", input.rest());
  const CsvForm form = csv_form(file, options);
  static_cast<void>(form.describe());
  static_cast<void>(form.class_names());
  read_through(csv_rows(file, form));
}

std::vector<Bytes> csv_seeds() {
  const auto table = [](std::uint8_t how, std::string_view text) { return joined({{how}, bytes_of(text)}); };
  return {table(0, "width, colour,\"height, in m\",kind\r\n1.5,3,2,\"a \"\"dog\"\"\"\r\n\r\n-2e1,4,+3,cat\r\n0,5,4,cat"),
          table(128,
                "\xEF\xBB\xBF"
                "a;b;c\nred;0;1\nblue;1;1\n"),
          table(64, "1 2 3\n4 NA 6\n? 8 9\n10 11 12"),
          table(0x10, "x\ty\n1\tnan\n2\tinf\n3\t1e999\n"),
          table(0x20, "1,2,0.5\n1,2\n"),
          table(0, "a,b\n1,\"x\n"),
          table(0, std::string_view("a,b\n1,x\0y\n", 11))};
}

/// The first byte says how to take the array, the rest is the file.
void run_npy(std::span<const std::uint8_t> bytes) {
  Input input(bytes);
  const std::uint8_t how = input.byte();
  FieldSource source{"x", scratch_file("x.npy", input.rest()).string(), static_cast<Role>((how & 3) % 3)};
  source.channels_last = (how & 4) != 0;
  source.one_hot = (how & 8) != 0;
  source.index = (how & 16) != 0 && !source.one_hot;
  source.real = (how & 32) != 0 && !source.one_hot && !source.index;
  source.raw = (how & 64) != 0;
  read_through(npy_rows({source}));
}

Bytes npy(std::uint8_t how, std::string_view header, std::size_t data) {
  const auto length = static_cast<std::uint8_t>(header.size());
  return joined({{how}, bytes_of("\x93NUMPY"), {1, 0, length, 0}, bytes_of(header), Bytes(data, 1)});
}

std::vector<Bytes> npy_seeds() {
  return {npy(0, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 24),
          npy(0, "{'descr': '>i8', 'fortran_order': False, 'shape': (2,), }", 16),
          npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 1), }", 2),
          npy(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", 4),
          npy(4, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 2, 3), }", 12),
          npy(9, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", 32),
          npy(0, "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 2), }", 24),
          npy(0, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4611686018427387904, 4), }", 24),
          npy(0, "{'descr': '<f1', 'fortran_order': True, 'shape': (-3, 99999999999999999999), }", 24)};
}

}  // namespace

const Target kIdx{"idx", run_idx, idx_seeds};
const Target kPacked{"packed", run_packed, packed_seeds};
const Target kCsv{"csv", run_csv, csv_seeds};
const Target kNpy{"npy", run_npy, npy_seeds};

}  // namespace lockstep::fuzz
