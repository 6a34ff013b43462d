#include "formats/trace_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "train/read_number.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

/// What is said of a worker's spans before they are sent.
struct Header {
  std::int64_t first = 0;     ///< nanoseconds at which its first traced step began
  std::int64_t earliest = 0;  ///< of anything it did
  std::int32_t lane_begin = 0, lanes = 0, threads = 0;
};

/// A worker's tracks in the order in which they are shown: reader, lanes, network, writer.
std::vector<const TraceTrack*> tracks_of(const Trace& trace) {
  std::vector<const TraceTrack*> tracks;
  for (const std::vector<TraceTrack>* list : {&trace.reader, &trace.lanes, &trace.network, &trace.writer}) {
    for (const TraceTrack& track : *list) {
      tracks.push_back(&track);
    }
  }
  return tracks;
}

std::string track_name(const Header& worker, int track) {
  if (track == 0) {
    return "reader";
  }
  if (track <= worker.lanes) {
    return fmt::format("lane {}", worker.lane_begin + track - 1);
  }
  return track <= worker.lanes + worker.threads ? fmt::format("network, thread {}", track - 1 - worker.lanes) : "writer";
}

void add_name(std::string& json, int worker, std::optional<int> track, const char* kind, const std::string& name) {
  fmt::format_to(std::back_inserter(json), "{{\"ph\":\"M\",\"name\":\"{}_name\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":{}}}}},\n", kind,
                 worker, track.value_or(0), nlohmann::json(name).dump());
  if (track) {
    fmt::format_to(std::back_inserter(json),
                   "{{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":{},\"tid\":{},\"args\":{{\"sort_index\":{}}}}},\n", worker,
                   *track, *track);
  }
}

/// `zero`: what is shown as 0, on the worker's clock.
void add_spans(std::string& json, int worker, int track, std::span<const TraceSpan> spans, std::int64_t zero) {
  constexpr double kMicrosecond = 1000;
  for (const TraceSpan& span : spans) {
    std::string name(span.what.data());
    if (span.number >= 0) {
      name += fmt::format(" {}", span.number + 1);
    }
    fmt::format_to(std::back_inserter(json),
                   "{{\"ph\":\"X\",\"name\":{},\"pid\":{},\"tid\":{},\"ts\":{:.3f},\"dur\":{:.3f},\"args\":{{\"step\":{}}}}},\n",
                   nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), worker, track,
                   static_cast<double>(span.begin - zero) / kMicrosecond, static_cast<double>(span.end - span.begin) / kMicrosecond,
                   span.step);
  }
}

constexpr int kTag = 7;

/// A worker's spans to rank 0, track by track.
std::vector<std::vector<TraceSpan>> collect(Communicator& communicator, const std::vector<const TraceTrack*>& mine, int from, int tracks) {
  std::vector<std::vector<TraceSpan>> spans(static_cast<std::size_t>(tracks));
  for (int t = 0; t < tracks; ++t) {
    std::vector<TraceSpan>& track = spans[static_cast<std::size_t>(t)];
    const bool sends = communicator.rank() == from;
    if (sends) {
      track = mine[static_cast<std::size_t>(t)]->spans();
    }
    if (from == 0) {
      continue;
    }
    const Waiting waiting{.what = "gathering the trace"};
    std::uint64_t count = track.size();
    const auto pass = [&](std::span<std::byte> bytes) {
      Request request = sends ? communicator.send(0, kTag, bytes) : communicator.receive(from, kTag, bytes);
      communicator.wait(std::span(&request, 1), waiting);
    };
    pass(std::as_writable_bytes(std::span(&count, 1)));
    track.resize(count);
    if (count > 0) {
      pass(std::as_writable_bytes(std::span(track)));
    }
  }
  return spans;
}

}  // namespace

Trace trace_of_steps(const std::string& text) {
  const std::size_t colon = text.find(':');
  const auto number = [&](std::size_t begin, std::size_t end) {
    const auto value = read_number<std::uint64_t>(std::string_view(text).substr(begin, end - begin));
    if (!value) {
      throw UsageError(fmt::format("--trace {}: give a number of steps, such as 20, or FROM:TO, such as 100:120", text));
    }
    return *value;
  };
  Trace trace;
  trace.from_start = colon == std::string::npos;
  trace.from = trace.from_start ? 0 : number(0, colon);
  trace.to = number(trace.from_start ? 0 : colon + 1, text.size());
  if (trace.from >= trace.to) {
    throw UsageError(fmt::format("--trace {}: there is no step in that", text));
  }
  return trace;
}

void write_trace(Communicator& communicator, const Trace& mine, const std::filesystem::path& file) {
  const std::vector<const TraceTrack*> tracks = tracks_of(mine);
  Header header{mine.first, std::numeric_limits<std::int64_t>::max(), mine.lane_begin, static_cast<std::int32_t>(mine.lanes.size()),
                static_cast<std::int32_t>(mine.network.size())};
  std::int64_t dropped = 0;
  for (const TraceTrack* track : tracks) {
    dropped += track->dropped();
    for (const TraceSpan& span : track->spans()) {
      header.earliest = std::min(header.earliest, span.begin);
    }
  }
  const std::vector<Header> workers = gather(communicator, header, "gathering the trace");
  const std::vector<std::int64_t> all_dropped = gather(communicator, dropped, "gathering the trace");
  std::int64_t lead = 0;  // of what is earliest before the first step
  for (const Header& worker : workers) {
    lead = std::max(lead, worker.earliest < worker.first ? worker.first - worker.earliest : 0);
  }
  std::string json = "{\"displayTimeUnit\":\"ms\",\n\"traceEvents\":[\n";
  for (int w = 0; w < communicator.size(); ++w) {
    const Header& worker = workers[static_cast<std::size_t>(w)];
    const int count = worker.lanes + worker.threads + 2;
    if (communicator.rank() != 0 && communicator.rank() != w) {
      continue;
    }
    const std::vector<std::vector<TraceSpan>> spans = collect(communicator, tracks, w, count);
    add_name(json, w, std::nullopt, "process", fmt::format("worker {} ({})", w, communicator.host(w)));
    for (int t = 0; t < count; ++t) {
      add_name(json, w, t, "thread", track_name(worker, t));
      add_spans(json, w, t, spans[static_cast<std::size_t>(t)], worker.first - lead);
    }
  }
  if (communicator.rank() == 0) {
    json.resize(json.size() - 2);
    std::int64_t left_out = 0;
    for (const std::int64_t each : all_dropped) {
      left_out += each;
    }
    json += fmt::format("],\n\"otherData\":{{\"spans left out, for want of room\":\"{}\"}}}}\n", left_out);
    write_whole_file(file, std::string_view(json));
  }
}

}  // namespace lockstep
