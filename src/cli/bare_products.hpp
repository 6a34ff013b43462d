#pragma once

#include <string_view>

#include "lockstep/graph.hpp"

namespace lockstep::cli {

/// The time that the matrix products and convolutions of a graph take at least: oneDNN's on one thread, each run alone again and again in
/// the quickest of the layouts it knows, with operands and weights that lie in that layout already. Equal ones are timed once. In ms.
[[nodiscard]] double bare_products_ms(const Graph& graph);
/// Whether it counts an op.
[[nodiscard]] bool has_bare_products(std::string_view op);

}  // namespace lockstep::cli
