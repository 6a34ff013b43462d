#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "train/progress.hpp"

namespace lockstep {
namespace {

struct Watch {
  double now = 100;
  std::ostringstream out;
  std::function<double()> clock() {
    return [this] { return now; };
  }
};

ProgressState at(std::uint64_t step) {
  return {.epoch = 3, .epochs = 10, .step = step, .steps = 400, .steps_left = 4000 - step, .loss = 0.41234, .samples_per_second = 12345.4};
}

TEST(Progress, OffATerminalALineEverySoOften) {
  Watch watch;
  Progress progress(watch.out, {.line_every = 30}, watch.clock());
  for (std::uint64_t step = 1; step <= 100; ++step) {
    watch.now += 1;
    progress.update(at(step));
  }
  EXPECT_EQ(watch.out.str(),
            "epoch 3/10 step 30/400 loss 0.4123 12345 samples/s eta 1:06:10\n"
            "epoch 3/10 step 60/400 loss 0.4123 12345 samples/s eta 1:05:40\n"
            "epoch 3/10 step 90/400 loss 0.4123 12345 samples/s eta 1:05:10\n");
}

TEST(Progress, OnATerminalABarAtMostTenTimesASecond) {
  Watch watch;
  {
    Progress progress(watch.out, {.terminal = true, .width = 120}, watch.clock());
    progress.update(at(0));
    EXPECT_EQ(watch.out.str(), "\repoch 3/10 [....................] step 0/400 loss 0.4123 12345 samples/s eta -:--\x1b[K");
    watch.out.str("");
    for (std::uint64_t step = 1; step <= 100; ++step) {
      watch.now += 0.01;
      progress.update(at(step));
    }
    const std::string text = watch.out.str();
    EXPECT_LE(std::ranges::count(text, '\r'), 10);
    EXPECT_GE(std::ranges::count(text, '\r'), 9);
    EXPECT_NE(text.find("epoch 3/10 [####................] step 9"), std::string::npos) << text;
    EXPECT_NE(text.find("eta 0:40"), std::string::npos) << text;
    progress.say("epoch 3: done");
    EXPECT_TRUE(watch.out.str().ends_with("\r\x1b[Kepoch 3: done\n"));
    progress.update(at(101));
  }
  EXPECT_TRUE(watch.out.str().ends_with("\x1b[K\n")) << "the cursor must end on a fresh line";
}

TEST(Progress, ANarrowTerminalGetsALineThatDoesNotWrap) {
  Watch watch;
  Progress progress(watch.out, {.terminal = true, .width = 30}, watch.clock());
  progress.update(at(0));
  EXPECT_EQ(watch.out.str(), "\repoch 3/10 step 0/400 loss 0.\x1b[K");
}

TEST(Progress, QuietSaysNothing) {
  Watch watch;
  {
    Progress progress(watch.out, {.terminal = true, .quiet = true, .line_every = 0}, watch.clock());
    progress.update(at(1));
    progress.say("text");
  }
  EXPECT_EQ(watch.out.str(), "");
}

}  // namespace
}  // namespace lockstep
