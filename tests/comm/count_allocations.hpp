#pragma once

namespace lockstep::test {

/// How often this program has called operator new: from the project's own code (with the standard library), and from inside oneDNN, OpenMP
/// or MPI. Linking count_allocations.cpp replaces operator new; what C libraries allocate is not counted.
struct AllocationCount {
  long own = 0;
  long libraries = 0;
};
[[nodiscard]] AllocationCount allocations();

}  // namespace lockstep::test
