#include "ops/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ops/define.hpp"

namespace lockstep {

std::span<const OpEntry> op_table() {
  static const std::vector<OpEntry> table{
#define OP(name) name##_op.entry,
#include "ops/ops.def"
#undef OP
  };
  return table;
}

const OpEntry* find_op(std::string_view name) {
  const auto found = std::ranges::find(op_table(), name, [](const OpEntry& line) { return line.op->name(); });
  return found == op_table().end() ? nullptr : &*found;
}

const OpEntry& entry(const Op& op) {
  const auto found = std::ranges::find(op_table(), &op, &OpEntry::op);
  if (found == op_table().end()) {
    throw UsageError(fmt::format("the op '{}' has no kernels: it is not in the table of ops", op.name()));
  }
  return *found;
}

const Op* op_named(std::string_view name) {
  const OpEntry* line = find_op(name);
  return line == nullptr ? nullptr : line->op;
}

ReferenceKernel reference_kernel(const Op& op) { return entry(op).reference; }

}  // namespace lockstep
