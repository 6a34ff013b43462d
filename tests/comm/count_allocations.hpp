#pragma once

namespace lockstep::test {

/// How often this program has called operator new. Linking count_allocations.cpp replaces it; what C libraries allocate is not counted.
[[nodiscard]] long allocations();

}  // namespace lockstep::test
