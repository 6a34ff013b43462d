#include <array>

#include "ops/matmul/activation.hpp"
#include "ops/matmul/matmul.hpp"
#include "ops/table.hpp"

namespace lockstep {

void matmul_reference(const ReferenceCall& call) {
  const MatmulSizes s = matmul_sizes(call.in_types, call.attrs);
  for (std::int64_t p = 0; p < s.batch; ++p) {
    const double* a = call.in[0].data() + p * s.m * s.k;
    const double* b = call.in[1].data() + (s.shared_b ? 0 : p * s.k * s.n);
    double* y = call.out[0].data() + p * s.m * s.n;
    for (std::int64_t i = 0; i < s.m; ++i) {
      for (std::int64_t j = 0; j < s.n; ++j) {
        double total = call.in.size() > 2 ? call.in[2][static_cast<std::size_t>(j)] : 0.0;
        for (std::int64_t l = 0; l < s.k; ++l) {
          total += (s.transpose_a ? a[l * s.m + i] : a[i * s.k + l]) * (s.transpose_b ? b[j * s.k + l] : b[l * s.n + j]);
        }
        y[i * s.n + j] = total;
      }
    }
  }
  activate(call.attrs, call.out[0]);
}

void activate(const Attrs& attrs, std::span<double> numbers) {
  if (!attrs.has(kActivation)) {
    return;
  }
  const OpEntry* const op = find_op(attrs.text(kActivation));
  if (op == nullptr) {
    throw UsageError("there is no activation '" + attrs.text(kActivation) + "'");
  }
  Attrs given = attrs;
  given.set("alpha", attrs.has("alpha") ? attrs.real("alpha") : 1.0);
  const std::array<std::span<const double>, 1> in{numbers};
  op->reference({given, {}, {}, in, {&numbers, 1}, {}});
}

}  // namespace lockstep
