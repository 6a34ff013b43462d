#include "train/evaluate.hpp"

#include <memory>
#include <vector>

#include "data/reader.hpp"

namespace lockstep {

StepSums evaluate_dataset(StepEngine& engine, const Dataset& dataset, RowRange rows, std::int64_t batch, int lanes, std::size_t cache) {
  const StepTable table(rows.rows, batch, lanes);
  ReaderOptions options;
  options.rows = rows;
  options.lane_begin = engine.lanes().begin;
  options.lane_end = engine.lanes().end;
  options.end_epoch = 1;
  BatchReader reader(std::make_shared<ChunkCache>(dataset, cache), table, options);
  std::vector<double> per_lane(engine.evaluation_width() * static_cast<std::size_t>(engine.lanes().size()));
  for (std::int64_t s = 0; s < table.steps(); ++s) {
    engine.evaluate(reader.next(), reader.fields(), {}, per_lane);
    reader.release();
  }
  return engine.sum_evaluation(per_lane, rows.rows);
}

}  // namespace lockstep
