#include "formats/trace_file.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/error.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep {
namespace {

TraceTrack::Clock::time_point at(std::int64_t nanoseconds) {
  return TraceTrack::Clock::time_point(std::chrono::duration_cast<TraceTrack::Clock::duration>(std::chrono::nanoseconds(nanoseconds)));
}

TEST(Trace, IsOfTheStepsThatAreAskedFor) {
  Trace trace = trace_of_steps("20");
  trace.prepare(100, 0, 1, 1);
  EXPECT_FALSE(trace.lanes[0].covers(99));
  EXPECT_TRUE(trace.lanes[0].covers(100) && trace.lanes[0].covers(119));
  EXPECT_FALSE(trace.lanes[0].covers(120));
  trace = trace_of_steps("5:7");
  trace.prepare(6, 0, 1, 1);
  EXPECT_TRUE(trace.writer[0].covers(5) && trace.writer[0].covers(6));
  EXPECT_FALSE(trace.writer[0].covers(7));
  for (const char* text : {"", "0", "7:7", "8:7", "-1", "3x", ":4", "4:"}) {
    EXPECT_THROW(static_cast<void>(trace_of_steps(text)), UsageError) << text;
  }
}

TEST(Trace, ATrackKeepsTheFirstSpansAndCountsTheOthers) {
  TraceTrack track(0, 1);
  for (std::size_t i = 0; i < TraceTrack::kMost + 3; ++i) {
    const Traced traced(&track, "a name that is much longer than there is room for", 0);
  }
  track.add("of another step", -1, 1, at(0), at(1));
  EXPECT_EQ(track.spans().size(), TraceTrack::kMost);
  EXPECT_EQ(track.dropped(), 3);
  EXPECT_STREQ(track.spans()[0].what.data(), "a name that is much longer than the");
}

TEST(Trace, BecomesEventsOnNamedTracksFromZeroOn) {
  const ScratchFolder scratch;
  Trace trace = trace_of_steps("0:2");
  trace.prepare(0, 4, 2, 1);
  trace.first = 5'000'000;
  trace.reader[0].add("read step", -1, 0, at(4'000'500), at(4'900'000));
  trace.lanes[1].add("conv2d \"%3\"", -1, 1, at(5'000'123), at(5'002'000));
  trace.network[0].add("sum and update bucket", 2, 1, at(5'002'000), at(5'003'000));
  write_trace(*self_communicator(), trace, scratch / "trace.json");
  const auto json = nlohmann::json::parse(text_of(scratch / "trace.json"));
  std::map<int, std::string> names;
  std::map<std::string, nlohmann::json> spans;
  for (const auto& event : json.at("traceEvents")) {
    if (event.at("name") == "thread_name") {
      names[event.at("tid")] = event.at("args").at("name");
    } else if (event.at("ph") == "X") {
      spans[names.at(event.at("tid"))] = event;
    }
  }
  EXPECT_EQ(names, (std::map<int, std::string>{{0, "reader"}, {1, "lane 4"}, {2, "lane 5"}, {3, "network, thread 0"}, {4, "writer"}}));
  ASSERT_EQ(spans.size(), 3);
  EXPECT_EQ(spans["reader"]["ts"], 0.0);
  EXPECT_EQ(spans["reader"]["dur"], 899.5);
  EXPECT_EQ(spans["lane 5"]["name"], "conv2d \"%3\"");
  EXPECT_EQ(spans["lane 5"]["ts"], 999.623);
  EXPECT_EQ(spans["lane 5"]["args"]["step"], 1);
  EXPECT_EQ(spans["network, thread 0"]["name"], "sum and update bucket 3");
}

}  // namespace
}  // namespace lockstep
