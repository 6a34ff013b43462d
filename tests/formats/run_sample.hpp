#pragma once

#include <fmt/format.h>

#include "train/scratch_folder.hpp"

namespace lockstep {

/// metrics.jsonl of two epochs of ten steps.
inline const std::string kMetrics =
    R"({"epoch":1,"step":10,"train_loss":0.9,"penalty":0.0,"validation_loss":0.8,"validation_accuracy":0.75,"learning_rate":0.1,"parameter_hash":"00aa","samples_per_second":200,"seconds":2,"data_wait_share":0.25}
{"epoch":2,"step":20,"train_loss":0.5,"penalty":0.0,"validation_loss":0.6,"validation_accuracy":0.875,"learning_rate":0.05,"parameter_hash":"11bb","samples_per_second":400,"seconds":1,"data_wait_share":0.0}
)";

/// A line of steps.jsonl.
inline std::string step_line(int step, double loss) {
  return fmt::format(
      R"({{"step":{},"epoch":{},"loss":{},"learning_rate":0.1,"gradient_norm":null,"samples":40,"seconds":0.4,"compute_seconds":0.2,"data_wait_seconds":0.05,"exchange_seconds":0.05,"update_seconds":0.06}})"
      "\n",
      step, 1 + (step - 1) / 10, loss);
}

/// A run folder with every file.
inline std::filesystem::path whole_run(const ScratchFolder& scratch, const std::string& name, const std::string& rate = "0.1") {
  const std::filesystem::path folder = scratch / name;
  std::filesystem::create_directory(folder);
  put(folder / "metrics.jsonl", kMetrics);
  std::string steps;
  for (int step = 2; step <= 20; step += 2) {
    steps += step_line(step, 2.0 / step);
  }
  put(folder / "steps.jsonl", steps);
  put(folder / "config.ini", "# options\nmodel = cnn\nbatch = 20\nlr = " + rate + "\nseed = 1\n");
  put(folder / "confusion.csv", "label,coat,shirt\ncoat,8,2\nshirt,4,6\n");
  put(folder / "samples.json",
      R"({"task":"classes","classes":["coat","shirt"],"samples":[)"
      R"({"index":7,"shape":[1,1,2],"layout":"chw","pixels":"AP8=","label":0,"prediction":1,"probabilities":[0.25,0.75]}]})");
  return folder;
}

}  // namespace lockstep
