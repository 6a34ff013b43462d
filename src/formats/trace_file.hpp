#pragma once

#include <filesystem>
#include <string>

#include "comm/communicator.hpp"
#include "runtime/trace.hpp"

namespace lockstep {

/// "20" → the first 20 steps from where the run starts or goes on; "100:120" → the steps 100 to 119 of the run, which counts from 0.
/// Throws UsageError.
[[nodiscard]] Trace trace_of_steps(const std::string& text);

/// Gathers the workers' traces and writes them, on rank 0, in Chrome's trace-event format (Google, "Trace Event Format", JSON object
/// form): a process a worker, a thread a track, complete events in microseconds. The clocks of the workers are set so that the first
/// traced step begins everywhere at once; nothing is before 0. Every worker must call it. Throws CheckpointError when the file cannot be
/// written.
void write_trace(Communicator& communicator, const Trace& mine, const std::filesystem::path& file);

}  // namespace lockstep
