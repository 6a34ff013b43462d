#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "data/chunk_cache.hpp"
#include "data/dataset.hpp"
#include "data/order.hpp"
#include "runtime/trace.hpp"

namespace lockstep {

/// What one lane works on in one step. Each field is a contiguous array [samples, ...], aligned to 64 bytes.
struct LaneBatch {
  int lane = 0;
  std::int64_t samples = 0;                ///< 0: the lane is empty in this step
  std::int64_t first_row = 0;              ///< place in the whole batch of the first sample
  std::vector<const std::byte*> fields{};  ///< in the order of BatchReader::fields()
};

struct StepBatch {
  std::uint64_t epoch = 0;
  std::int64_t step = 0;     ///< in its epoch
  std::int64_t samples = 0;  ///< in the whole batch, all lanes of all workers
  std::vector<LaneBatch> lanes;
};

struct ReaderOptions {
  RowRange rows{};  ///< of the dataset; the table's samples must be as many
  OrderKind order = OrderKind::sequential;
  std::uint64_t seed = 0;
  int lane_begin = 0;  ///< this worker's lanes are lane_begin … lane_end − 1
  int lane_end = 1;
  std::uint64_t epoch = 0;  ///< where to start
  std::int64_t step = 0;
  std::uint64_t end_epoch = std::numeric_limits<std::uint64_t>::max();  ///< the epoch not to begin
  int depth = 3;                                                        ///< steps prepared ahead, ≥ 1
  TraceTrack* trace = nullptr;                                          ///< of what its thread does
};

/// What a reader makes of a dataset's fields: names, shapes of a sample and types after conversion.
[[nodiscard]] std::vector<Field> converted_fields(const Dataset& dataset);

/// Prepares a worker's batches in a background thread, some steps ahead, from one epoch into the next. Fields that have
/// Statistics become f32 and are normalised, (x − mean) / std; other u8 fields become f32, i32 fields stay. All buffers are allocated when
/// it is made. One thread calls next and release.
class BatchReader {
 public:
  /// Raises the cache's budget to what this reader holds at once. Throws UsageError if rows and table disagree.
  BatchReader(std::shared_ptr<ChunkCache> cache, const StepTable& table, const ReaderOptions& options);
  BatchReader(const BatchReader&) = delete;
  BatchReader& operator=(const BatchReader&) = delete;
  ~BatchReader();

  /// The next step's batch; valid until it is released. Waits until it is ready. Throws what reading threw (DataError).
  /// Requires that the batch before was released and that an epoch is left.
  const StepBatch& next();
  /// Gives the buffers of the batch that `next` gave back to the reader.
  void release();

  /// What `LaneBatch::fields` holds: converted_fields of the dataset.
  [[nodiscard]] const std::vector<Field>& fields() const;
  /// Seconds that `next` has waited for data.
  [[nodiscard]] double wait_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
