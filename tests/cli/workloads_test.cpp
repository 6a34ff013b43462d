#include "cli/workloads.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "train/job.hpp"

namespace lockstep {
namespace {

TEST(SyntheticBatch, HoldsWhatTheModelReads) {
  for (const char* name : {"mlp-tiny", "cnn", "resnet20", "gpt"}) {
    const Workload chosen = workload(name);
    const SyntheticBatch data(chosen, 5, 2, 0, 2);
    EXPECT_NO_THROW(check_fields(build_model(chosen.model), data.fields())) << name;
    EXPECT_EQ(data.lane_samples(), (std::vector<int>{2, 3}));
    for (std::size_t f = 0; f < data.fields().size(); ++f) {
      const Field& field = data.fields()[f];
      const auto count = static_cast<std::size_t>(3 * field.sample.elements());
      if (field.dtype == DType::i32) {
        const std::span numbers(reinterpret_cast<const std::int32_t*>(data.batch().lanes[1].fields[f]), count);
        EXPECT_TRUE(std::ranges::all_of(numbers, [&](std::int32_t i) { return 0 <= i && i < chosen.model.classes; })) << name;
      } else {
        const std::span numbers(reinterpret_cast<const float*>(data.batch().lanes[1].fields[f]), count);
        EXPECT_TRUE(std::ranges::all_of(numbers, [&](float x) { return -1 <= x && x < 1; })) << name;
      }
    }
  }
}

TEST(SyntheticBatch, ASampleDoesNotDependOnTheLanes) {
  const Workload chosen = workload("gpt");
  const SyntheticBatch one(chosen, 4, 1, 0, 1), two(chosen, 4, 2, 1, 2);
  const auto at = [](const SyntheticBatch& data, std::int64_t sample) {
    return reinterpret_cast<const std::int32_t*>(data.batch().lanes[0].fields[0]) + sample * 128;
  };
  EXPECT_TRUE(std::equal(at(one, 2), at(one, 4), at(two, 0)));
  EXPECT_FALSE(std::equal(at(one, 0), at(one, 1), at(two, 0)));
}

TEST(Workload, AnUnknownOneIsNamed) { EXPECT_THROW(static_cast<void>(workload("gpt5")), UsageError); }

}  // namespace
}  // namespace lockstep
