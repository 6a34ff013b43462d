#include "data/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "lockstep/error.hpp"
#include "runtime/aligned.hpp"
#include "runtime/cores.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kAlign = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

/// How one row of a field becomes what the model sees: (x − mean) / std as f32, or as it is.
struct Converter {
  DType from = DType::f32;
  std::size_t elements = 0;  ///< a row
  std::vector<float> mean;   ///< one a channel; empty: the values stay
  std::vector<float> std;

  [[nodiscard]] std::size_t stored_bytes() const { return elements * size_of(from); }
  [[nodiscard]] std::size_t bytes() const { return elements * 4; }

  void convert(const std::byte* in, std::byte* out) const {
    if (mean.empty()) {
      std::memcpy(out, in, bytes());
    } else if (from == DType::u8) {
      normalise(reinterpret_cast<const std::uint8_t*>(in), reinterpret_cast<float*>(out));
    } else {
      normalise(reinterpret_cast<const float*>(in), reinterpret_cast<float*>(out));
    }
  }

 private:
  template <class T>
  void normalise(const T* in, float* out) const {
    const std::size_t inner = elements / mean.size();
    for (std::size_t c = 0; c < mean.size(); ++c, in += inner, out += inner) {
      const float m = mean[c];
      const float s = std[c];
      for (std::size_t i = 0; i < inner; ++i) {
        out[i] = (static_cast<float>(in[i]) - m) / s;
      }
    }
  }
};

/// A chunk as far as it lies in the reader's rows, and what lanes hold of it.
struct ViewChunk {
  std::size_t chunk = 0;   ///< in the dataset
  std::int64_t first = 0;  ///< first row used, in the chunk
  std::int64_t rows = 0;   ///< rows used
  std::shared_ptr<const Chunk> data;
  int users = 0;  ///< lanes whose window needs it
};

std::vector<ViewChunk> view_of(const Dataset& dataset, RowRange range) {
  std::vector<ViewChunk> view;
  std::int64_t row = 0;
  for (std::size_t c = 0; c < dataset.chunks().size(); ++c) {
    const std::int64_t rows = dataset.chunks()[c].rows;
    const std::int64_t first = std::max(row, range.first);
    const std::int64_t end = std::min(row + rows, range.first + range.rows);
    if (first < end) {
      view.push_back({c, first - row, end - first, nullptr, 0});
    }
    row += rows;
  }
  return view;
}

/// Where a lane stands in its stream.
struct Cursor {
  SampleOrder::Window window;
  std::vector<std::int64_t> chunks;  ///< of the view, that it needs, each once
};

struct Slot {
  AlignedBytes memory;
  StepBatch batch;
};

}  // namespace

struct BatchReader::State {
  State(std::shared_ptr<ChunkCache> chunk_cache, const StepTable& steps, const ReaderOptions& reader_options);

  // Used by the reading thread alone once it runs.
  std::shared_ptr<ChunkCache> cache;
  StepTable table;
  ReaderOptions options;
  std::vector<Field> fields;
  std::vector<Converter> converters;
  std::vector<ViewChunk> view;
  std::vector<Cursor> cursors;
  std::optional<SampleOrder> order;

  // Slots go round: the thread fills slot `filled`, the consumer takes slot `taken` and gives it back.
  std::vector<Slot> slots;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::size_t filled = 0;
  std::size_t taken = 0;
  std::size_t released = 0;
  bool finished = false;
  std::exception_ptr error;
  double waited = 0;

  std::jthread thread;  ///< last: it must end before the rest goes

  void make_slots();
  [[nodiscard]] std::size_t bytes_at_once() const;
  void run(const std::stop_token& stop);
  bool prepare(const std::stop_token& stop, std::uint64_t epoch, std::int64_t step);
  void fill(LaneBatch& lane, std::int64_t step);
  void enter_window(Cursor& cursor, int lane, std::int64_t position);
  const Chunk& chunk_data(ViewChunk& chunk);
};

BatchReader::State::State(std::shared_ptr<ChunkCache> chunk_cache, const StepTable& steps, const ReaderOptions& reader_options)
    : cache(std::move(chunk_cache)), table(steps), options(reader_options), fields(converted_fields(cache->dataset())) {
  const Dataset& dataset = cache->dataset();
  const RowRange range = options.rows;
  if (range.rows != table.samples() || range.first < 0 || range.first + range.rows > dataset.rows()) {
    throw UsageError(fmt::format("rows {}..{} of {} do not make an epoch of {} samples.", range.first, range.first + range.rows - 1,
                                 dataset.path().string(), table.samples()));
  }
  if (options.lane_begin < 0 || options.lane_begin > options.lane_end || options.lane_end > table.lanes() || options.depth < 1) {
    throw UsageError(
        fmt::format("lanes {}..{} are not among the {} lanes of the batch.", options.lane_begin, options.lane_end - 1, table.lanes()));
  }
  view = view_of(dataset, range);
  for (const Field& field : dataset.fields()) {
    Converter& converter = converters.emplace_back(Converter{field.dtype, static_cast<std::size_t>(field.sample.elements()), {}, {}});
    const Statistics& statistics = dataset.statistics(field.name);
    if (field.dtype != DType::i32 && !statistics.mean.empty()) {
      converter.mean.assign(statistics.mean.begin(), statistics.mean.end());
      converter.std.assign(statistics.std.begin(), statistics.std.end());
    } else if (field.dtype == DType::u8) {
      converter.mean = {0};
      converter.std = {1};
    }
  }
  cursors.resize(static_cast<std::size_t>(options.lane_end - options.lane_begin));
  cache->require(bytes_at_once());
  make_slots();
}

void BatchReader::State::make_slots() {
  const auto most = static_cast<std::size_t>(table.max_lane_samples());
  std::size_t lane_bytes = 0;
  for (const Converter& converter : converters) {
    lane_bytes += aligned(most * converter.bytes());
  }
  slots = std::vector<Slot>(static_cast<std::size_t>(options.depth) + 1);
  for (Slot& slot : slots) {
    slot.memory.reserve(std::max(kAlign, lane_bytes * cursors.size()));
    std::byte* next = slot.memory.data();
    for (int lane = options.lane_begin; lane < options.lane_end; ++lane) {
      LaneBatch& batch = slot.batch.lanes.emplace_back(LaneBatch{.lane = lane});
      for (const Converter& converter : converters) {
        batch.fields.push_back(next);
        next += aligned(most * converter.bytes());
      }
    }
  }
}

/// Each lane holds the chunks of one window, of which the first and the last may reach beyond it.
std::size_t BatchReader::State::bytes_at_once() const {
  std::int64_t all = 0;
  std::int64_t longest = 0;
  for (const ViewChunk& chunk : view) {
    const std::int64_t rows = cache->dataset().chunks()[chunk.chunk].rows;
    all += rows;
    longest = std::max(longest, rows);
  }
  const std::int64_t windows = (4 + 2) * longest * std::ssize(cursors);
  return static_cast<std::size_t>(options.order == OrderKind::sample ? all : std::min(all, windows)) * cache->dataset().row_bytes();
}

const Chunk& BatchReader::State::chunk_data(ViewChunk& chunk) {
  if (!chunk.data) {
    chunk.data = cache->get(chunk.chunk);
  }
  return *chunk.data;
}

/// Holds the chunks of the new window, lets go of those of the old one that it does not need, and only then reads.
void BatchReader::State::enter_window(Cursor& cursor, int lane, std::int64_t position) {
  cursor.window = order->window_at(lane, position);
  if (order->kind() == OrderKind::sample) {
    return;  // Every chunk stays: a window may touch them all.
  }
  const std::vector<std::int64_t> before = std::exchange(cursor.chunks, {});
  for (const SamplePlace& place : cursor.window.places) {
    cursor.chunks.push_back(place.chunk);
  }
  std::ranges::sort(cursor.chunks);
  cursor.chunks.erase(std::unique(cursor.chunks.begin(), cursor.chunks.end()), cursor.chunks.end());
  for (const std::int64_t chunk : cursor.chunks) {
    ++view[static_cast<std::size_t>(chunk)].users;
  }
  for (const std::int64_t chunk : before) {
    ViewChunk& old = view[static_cast<std::size_t>(chunk)];
    if (--old.users == 0) {
      old.data.reset();
    }
  }
  for (const std::int64_t chunk : cursor.chunks) {
    chunk_data(view[static_cast<std::size_t>(chunk)]);
  }
}

void BatchReader::State::fill(LaneBatch& lane, std::int64_t step) {
  lane.samples = table.lane_samples(step, lane.lane);
  lane.first_row = table.first_row(step, lane.lane);
  Cursor& cursor = cursors[static_cast<std::size_t>(lane.lane - options.lane_begin)];
  const std::int64_t begin = table.lane_begin(step, lane.lane);
  for (std::int64_t i = 0; i < lane.samples; ++i) {
    const auto in_window = [&] { return static_cast<std::size_t>(begin + i - cursor.window.begin); };
    if (in_window() >= cursor.window.places.size()) {
      enter_window(cursor, lane.lane, begin + i);
    }
    const SamplePlace place = cursor.window.places[in_window()];
    ViewChunk& chunk = view[static_cast<std::size_t>(place.chunk)];
    const Chunk& data = chunk_data(chunk);
    const auto row = static_cast<std::size_t>(chunk.first + place.row);
    for (std::size_t f = 0; f < converters.size(); ++f) {
      const Converter& converter = converters[f];
      // The slot's memory is ours until it is published; LaneBatch shows it to the consumer as const.
      auto* const out = const_cast<std::byte*>(lane.fields[f]) + static_cast<std::size_t>(i) * converter.bytes();
      converter.convert(data.fields[f].data() + row * converter.stored_bytes(), out);
    }
  }
}

/// Waits for a free slot and fills it; false when told to stop.
bool BatchReader::State::prepare(const std::stop_token& stop, std::uint64_t epoch, std::int64_t step) {
  std::unique_lock lock(mutex);
  if (!changed.wait(lock, stop, [&] { return filled - released < slots.size(); }) || stop.stop_requested()) {
    return false;
  }
  Slot& slot = slots[filled % slots.size()];
  lock.unlock();
  slot.batch.epoch = epoch;
  slot.batch.step = step;
  slot.batch.samples = table.samples(step);
  {
    const Traced traced(options.trace, "read step", epoch * static_cast<std::uint64_t>(table.steps()) + static_cast<std::uint64_t>(step));
    for (LaneBatch& lane : slot.batch.lanes) {
      fill(lane, step);
    }
  }
  lock.lock();
  ++filled;
  changed.notify_all();
  return true;
}

void BatchReader::State::run(const std::stop_token& stop) {
  try {
    use_all_cores();
    std::vector<std::int64_t> rows;
    for (const ViewChunk& chunk : view) {
      rows.push_back(chunk.rows);
    }
    std::int64_t step = options.step;
    for (std::uint64_t epoch = options.epoch; epoch < options.end_epoch; ++epoch, step = 0) {
      order.emplace(options.order, options.seed, epoch, rows, table);
      for (Cursor& cursor : cursors) {
        cursor.window = {};
      }
      for (; step < table.steps(); ++step) {
        if (!prepare(stop, epoch, step)) {
          return;
        }
      }
    }
  } catch (...) {
    const std::scoped_lock lock(mutex);
    error = std::current_exception();
  }
  const std::scoped_lock lock(mutex);
  finished = true;
  changed.notify_all();
}

BatchReader::BatchReader(std::shared_ptr<ChunkCache> cache, const StepTable& table, const ReaderOptions& options)
    : state_(new State(std::move(cache), table, options)) {
  state_->thread = std::jthread([state = state_.get()](const std::stop_token& stop) { state->run(stop); });
}

BatchReader::~BatchReader() = default;

const StepBatch& BatchReader::next() {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  if (s.taken != s.released) {
    throw UsageError("the batch before was not released.");
  }
  const auto ready = [&] { return s.filled > s.taken || s.finished; };
  if (!ready()) {
    const auto begin = std::chrono::steady_clock::now();
    s.changed.wait(lock, ready);
    s.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  if (s.filled == s.taken) {
    if (s.error) {
      std::rethrow_exception(s.error);
    }
    throw UsageError(fmt::format("all steps up to epoch {} were read.", s.options.end_epoch));
  }
  return s.slots[s.taken++ % s.slots.size()].batch;
}

void BatchReader::release() {
  const std::scoped_lock lock(state_->mutex);
  state_->released = state_->taken;
  state_->changed.notify_all();
}

std::vector<Field> converted_fields(const Dataset& dataset) {
  std::vector<Field> fields = dataset.fields();
  for (Field& field : fields) {
    field.dtype = field.dtype == DType::u8 ? DType::f32 : field.dtype;
  }
  return fields;
}

const std::vector<Field>& BatchReader::fields() const { return state_->fields; }

double BatchReader::wait_seconds() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->waited;
}

}  // namespace lockstep
