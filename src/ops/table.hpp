#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

/// All ops but the leaves, in the order of their names. The one place that knows them all.
[[nodiscard]] std::span<const OpEntry> op_table();
/// The line of an op by its name, or null.
[[nodiscard]] const OpEntry* find_op(std::string_view name);
/// The line of an op. Throws UsageError naming the op when the table does not hold it (leaves, ops of a test).
[[nodiscard]] const OpEntry& entry(const Op& op);
/// The op of a name, or null: what graph_from_json asks.
[[nodiscard]] const Op* op_named(std::string_view name);
/// The reference kernel of an op: what run_reference asks. Throws as `entry`.
[[nodiscard]] ReferenceKernel reference_kernel(const Op& op);

}  // namespace lockstep
