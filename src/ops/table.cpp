#include "ops/table.hpp"

#include <fmt/format.h>

#include <vector>

#include "ops/define.hpp"

namespace lockstep {

std::span<const OpEntry> op_table() {
  static const std::vector<OpEntry> table{
#define OP(name) name##_entry(),
#include "ops/ops.def"
#undef OP
  };
  return table;
}

const OpEntry* find_op(std::string_view name) {
  for (const OpEntry& line : op_table()) {
    if (line.op->name() == name) {
      return &line;
    }
  }
  return nullptr;
}

const OpEntry& entry(const Op& op) {
  for (const OpEntry& line : op_table()) {
    if (line.op == &op) {
      return line;
    }
  }
  throw UsageError(fmt::format("the op '{}' has no kernels: it is not in the table of ops", op.name()));
}

const Op* op_named(std::string_view name) {
  const OpEntry* line = find_op(name);
  return line == nullptr ? nullptr : line->op;
}

ReferenceKernel reference_kernel(const Op& op) { return entry(op).reference; }

}  // namespace lockstep
