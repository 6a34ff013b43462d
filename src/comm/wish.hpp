#pragma once

#include <cstdint>

namespace lockstep {

/// What a worker asks of all while a step runs; all do what the greatest of their wishes is when it is done.
enum class Wish : std::uint8_t { nothing, checkpoint, stop };

}  // namespace lockstep
