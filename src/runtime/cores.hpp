#pragma once

#include <vector>

namespace lockstep {

/// The processor cores that this process might use when it was first asked, in ascending order; empty where the system does not say.
[[nodiscard]] const std::vector<int>& process_cores();

/// The calling thread runs on this core alone from here on, and so do threads that it starts, unless they call use_all_cores.
/// A system that refuses is not an error: where a thread runs changes no bits.
void pin_thread(int core);

/// The calling thread may use each of process_cores(). Threads that work beside the computing ones (reading, sending) begin with it.
void use_all_cores();

}  // namespace lockstep
