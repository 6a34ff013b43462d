#pragma once

#include "ops/max_pool/window.hpp"

namespace lockstep {

/// Calls `visit(window index, x index, position in the window)` for every element of every window that lies in x, indexes row-major,
/// positions rising: the loop of the reference kernels.
template <class Visit>
void for_each_in_window(const Windows& s, Visit visit) {
  for (std::int64_t plane = 0; plane < s.n * s.c; ++plane) {
    for (std::int64_t i = 0; i < s.oh; ++i) {
      for (std::int64_t j = 0; j < s.ow; ++j) {
        for (std::int64_t at = 0; at < s.window * s.window; ++at) {
          const std::int64_t row = i * s.stride + at / s.window - s.padding, column = j * s.stride + at % s.window - s.padding;
          if (row >= 0 && row < s.h && column >= 0 && column < s.w) {
            visit(static_cast<std::size_t>((plane * s.oh + i) * s.ow + j), static_cast<std::size_t>((plane * s.h + row) * s.w + column),
                  at);
          }
        }
      }
    }
  }
}

}  // namespace lockstep
