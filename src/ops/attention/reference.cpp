#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/attention/attention.hpp"

namespace lockstep {
namespace {

/// One head of one sample: rows of D numbers.
class Head {
 public:
  Head(const AttentionSizes& sizes, std::int64_t sample, std::int64_t head) : s_(sizes), sample_(sample), head_(head) {}

  /// Number d of the query (part 0), key (1) or value (2) of position i, as an index of qkv.
  [[nodiscard]] std::size_t packed(std::int64_t part, std::int64_t i, std::int64_t d) const {
    return static_cast<std::size_t>(((sample_ * s_.positions + i) * 3 + part) * s_.row() + head_ * s_.width + d);
  }
  /// The same of y.
  [[nodiscard]] std::size_t plain(std::int64_t i, std::int64_t d) const {
    return static_cast<std::size_t>((sample_ * s_.positions + i) * s_.row() + head_ * s_.width + d);
  }
  [[nodiscard]] std::size_t row(std::int64_t i) const { return static_cast<std::size_t>((sample_ * s_.heads + head_) * s_.positions + i); }
  /// How many positions i sees.
  [[nodiscard]] std::int64_t seen(std::int64_t i) const { return s_.causal ? i + 1 : s_.positions; }
  /// q_i·k_j / √D
  [[nodiscard]] double score(std::span<const double> qkv, std::int64_t i, std::int64_t j) const {
    double total = 0;
    for (std::int64_t d = 0; d < s_.width; ++d) {
      total += qkv[packed(0, i, d)] * qkv[packed(1, j, d)];
    }
    return total / std::sqrt(static_cast<double>(s_.width));
  }

 private:
  const AttentionSizes& s_;
  std::int64_t sample_, head_;
};

template <class Visit>
void for_each_row(const AttentionSizes& s, Visit visit) {
  for (std::int64_t b = 0; b < s.samples; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      for (std::int64_t i = 0; i < s.positions; ++i) {
        visit(Head(s, b, h), i);
      }
    }
  }
}

}  // namespace

void attention_reference(const ReferenceCall& call) {
  const AttentionSizes s = attention_sizes(call.in_types[0], call.attrs, "attention");
  const std::span<const double> qkv = call.in[0];
  std::ranges::fill(call.out[0], 0.0);
  for_each_row(s, [&](const Head& head, std::int64_t i) {
    double greatest = head.score(qkv, i, 0), total = 0;
    for (std::int64_t j = 0; j < head.seen(i); ++j) {
      greatest = std::max(greatest, head.score(qkv, i, j));
    }
    for (std::int64_t j = 0; j < head.seen(i); ++j) {
      total += std::exp(head.score(qkv, i, j) - greatest);
    }
    const double log_sum = greatest + std::log(total);
    call.out[1][head.row(i)] = log_sum;
    for (std::int64_t j = 0; j < head.seen(i); ++j) {
      const double p = std::exp(head.score(qkv, i, j) - log_sum);
      for (std::int64_t d = 0; d < s.width; ++d) {
        call.out[0][head.plain(i, d)] += p * qkv[head.packed(2, j, d)];
      }
    }
  });
}

void attention_backward_reference(const ReferenceCall& call) {
  const AttentionSizes s = attention_sizes(call.in_types[0], call.attrs, "attention_backward");
  const std::span<const double> qkv = call.in[0], log_sum = call.in[1], g = call.in[2];
  const std::span<double> out = call.out[0];
  std::vector<double> p(static_cast<std::size_t>(s.positions)), product(p.size());
  std::ranges::fill(out, 0.0);
  for_each_row(s, [&](const Head& head, std::int64_t i) {
    double r = 0;
    for (std::int64_t j = 0; j < head.seen(i); ++j) {
      const auto at = static_cast<std::size_t>(j);
      p[at] = std::exp(head.score(qkv, i, j) - log_sum[head.row(i)]);
      product[at] = 0;
      for (std::int64_t d = 0; d < s.width; ++d) {
        product[at] += g[head.plain(i, d)] * qkv[head.packed(2, j, d)];
      }
      r += p[at] * product[at];
    }
    for (std::int64_t j = 0; j < head.seen(i); ++j) {
      const auto at = static_cast<std::size_t>(j);
      const double t = p[at] * (product[at] - r) / std::sqrt(static_cast<double>(s.width));
      for (std::int64_t d = 0; d < s.width; ++d) {
        out[head.packed(0, i, d)] += t * qkv[head.packed(1, j, d)];
        out[head.packed(1, j, d)] += t * qkv[head.packed(0, i, d)];
        out[head.packed(2, j, d)] += p[at] * g[head.plain(i, d)];
      }
    }
  });
}

}  // namespace lockstep
