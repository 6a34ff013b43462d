#include "train/optimizer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "comm/lane_tree.hpp"
#include "train/checkpoint.hpp"
#include "train/parameters.hpp"

namespace lockstep {
namespace {

// ---- directions: what an optimizer makes of a gradient and the state of its element ----

struct Gradient {
  float operator()(float g, float*, float*) const { return g; }
};

struct Momentum {
  float momentum;
  float operator()(float g, float* v, float*) const { return *v = momentum * *v + g; }
};

struct Nesterov {
  float momentum;
  float operator()(float g, float* v, float*) const {
    *v = momentum * *v + g;
    return g + momentum * *v;
  }
};

/// The direction of moments that are up to date.
struct Moments {
  float first, second, epsilon;
  float operator()(float, const float* m, const float* v) const { return *m * first / (std::sqrt(*v * second) + epsilon); }
};

struct Adam {
  float beta1, rest1, beta2, rest2;
  Moments moments;
  float operator()(float g, float* m, float* v) const {
    *m = beta1 * *m + rest1 * g;
    *v = beta2 * *v + rest2 * (g * g);
    return moments(g, m, v);
  }
};

/// The one loop of all optimizers: d ← direction(scale·g + l2·w).
template <class Direction>
void directions(const Direction direction, std::int64_t count, float scale, float l2, const float* __restrict g, const float* __restrict w,
                float* __restrict first, float* __restrict second, float* __restrict d) {
  for (std::int64_t i = 0; i < count; ++i) {
    d[i] = direction(scale * g[i] + l2 * w[i], first + i, second + i);
  }
}

// ---- what all of them share ----

void descend(float rate, float decay, std::int64_t count, const float* __restrict d, float* __restrict w) {
  for (std::int64_t i = 0; i < count; ++i) {
    w[i] -= rate * (d[i] + decay * w[i]);
  }
}

void mix_state(float momentum, std::int64_t count, const float* __restrict g, float* __restrict w) {
  if (momentum == 0) {
    return;  // frozen: not even a −0 changes
  }
  for (std::int64_t i = 0; i < count; ++i) {
    w[i] = (1 - momentum) * w[i] + momentum * g[i];
  }
}

void shrink(float threshold, std::int64_t count, float* w) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float above = w[i] < -threshold ? -threshold : w[i];
    w[i] -= above > threshold ? threshold : above;
  }
}

void average(float weight, std::int64_t count, const float* __restrict w, float* __restrict a) {
  for (std::int64_t i = 0; i < count; ++i) {
    a[i] += weight * (w[i] - a[i]);
  }
}

void add_decayed(float decay, std::int64_t count, const float* __restrict w, float* __restrict d) {
  for (std::int64_t i = 0; i < count; ++i) {
    d[i] += decay * w[i];
  }
}

/// Eight sums in double of f(x), over the elements i, i + 8, i + 16, …, added as ((0+1)+(2+3))+((4+5)+(6+7)).
template <class F>
double sum_in_eight(std::span<const float> values, F f) {
  std::array<double, 8> sum{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum[i % 8] += f(static_cast<double>(values[i]));
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double squares(std::span<const float> values) {
  return sum_in_eight(values, [](double x) { return x * x; });
}
double magnitudes(std::span<const float> values) {
  return sum_in_eight(values, [](double x) { return std::abs(x); });
}

template <class F>
double sum_over_atoms(std::span<const float> tensor, F f) {
  constexpr auto kSize = static_cast<std::size_t>(kAtom);
  if (tensor.size() <= kSize) {
    return f(tensor);
  }
  const std::size_t left = kSize * std::bit_floor((tensor.size() - 1) / kSize);
  return sum_over_atoms(tensor.first(left), f) + sum_over_atoms(tensor.subspan(left), f);
}

std::int64_t row_length(const FlatTensor& tensor) {
  return tensor.shape.rank() == 0 ? 1 : tensor.count / std::max<std::int64_t>(1, tensor.shape[0]);
}

void shrink_rows(double threshold, std::int64_t row, std::int64_t count, float* w) {
  for (std::int64_t at = 0; at < count; at += row) {
    const std::span values(w + at, static_cast<std::size_t>(row));
    const double norm = std::sqrt(squares(values));
    const auto kept = static_cast<float>(norm > threshold ? 1 - threshold / norm : 0);
    for (float& value : values) {
      value = kept > 0 ? value * kept : 0.0F;
    }
  }
}

/// x^n by squaring: the C library's pow has other last bits in other versions.
double power(double x, std::uint64_t n) {
  double result = 1;
  for (; n > 0; n /= 2, x *= x) {
    result = n % 2 == 1 ? result * x : result;
  }
  return result;
}

double ratio_or_one(double above, double below) { return above > 0 && below > 0 ? above / below : 1; }

}  // namespace

Updater::Updater(const FlatLayout& layout, const Recipe& recipe)
    : layout_(layout),
      optimizer_(recipe.optimizer),
      clip_(recipe.clip),
      average_(recipe.average),
      rules_(rules_for(layout, recipe)),
      atoms_of_(layout.tensors.size()) {
  using Kind = Optimizer::Kind;
  if (optimizer_.kind == Kind::adamw || optimizer_.kind == Kind::lamb) {
    states_ = {"exp_avg", "exp_avg_sq"};
  } else if (optimizer_.momentum > 0) {
    states_ = {"momentum"};
  }
  if (average_ > 0) {
    states_.emplace_back(kAverage);
  }
  if (clip_ > 0 || optimizer_.kind == Kind::lars) {
    rounds_.push_back(Round::gradient);
  }
  if (optimizer_.kind == Kind::lamb) {
    rounds_.push_back(Round::direction);
  }
  for (const std::vector<Atom>& bucket : atoms()) {
    for (const Atom& atom : bucket) {
      ++atoms_of_[static_cast<std::size_t>(atom.tensor)];
    }
  }
}

std::vector<std::vector<Atom>> Updater::atoms() const {
  std::vector<std::vector<Atom>> buckets;
  for (const std::vector<FlatRange>& ranges : layout_.buckets) {
    std::vector<Atom>& atoms = buckets.emplace_back();
    for (const FlatRange& range : ranges) {
      const auto after = std::ranges::upper_bound(layout_.tensors, range.begin, {}, &FlatTensor::offset);
      const auto tensor = static_cast<std::size_t>(after - layout_.tensors.begin() - 1);
      const std::int64_t row = rules_[tensor].group > 0 ? row_length(layout_.tensors[tensor]) : 1;
      const std::int64_t most = std::max(row, kAtom / row * row);
      for (std::int64_t at = range.begin; at < range.end; at += most) {
        atoms.push_back({at, static_cast<std::int32_t>(std::min(most, range.end - at)), static_cast<std::int32_t>(tensor)});
      }
    }
  }
  return buckets;
}

StepRates Updater::rates(double rate, std::uint64_t step) const {
  const auto rest = [step](double beta) { return 1 - power(beta, step + 1); };
  return {rate, 1 / rest(optimizer_.beta1), 1 / rest(optimizer_.beta2), average_ > 0 ? (1 - average_) / rest(average_) : 0};
}

/// Of the tensor in this step, with LAMB's factor, or for thresholds LARS's too.
double Updater::rate_of(std::size_t tensor, const StepRates& now, const StepScales& scales) const {
  return now.rate * rules_[tensor].rate * (optimizer_.kind == Optimizer::Kind::lamb ? scales.trust[tensor] : 1);
}

/// What a proximal step shrinks by, for λ = 1. A gradient that stays moves the weights by 1 / (1 − μ) of it in the end; without that factor
/// the penalty would count for 1 − μ of its λ, and the minimum be that of another objective than the printed one.
double Updater::threshold_of(std::size_t tensor, double rate, const StepScales& scales) const {
  switch (optimizer_.kind) {
    case Optimizer::Kind::sgd:
      return rate / (1 - optimizer_.momentum);
    case Optimizer::Kind::lars:
      return rate * scales.trust[tensor] / (1 - optimizer_.momentum);
    default:
      return rate;
  }
}

/// Writes the direction to the scratch; `again`: from state that this step's gradient is in already.
void Updater::direct(const At& at, const StepRates& now, const StepScales& scales, bool again) const {
  const auto tensor = static_cast<std::size_t>(at.atom.tensor);
  const bool adam = optimizer_.kind == Optimizer::Kind::adamw || optimizer_.kind == Optimizer::Kind::lamb;
  const double factor = optimizer_.kind == Optimizer::Kind::lars ? scales.trust[tensor] : 1;
  const auto loop = [&](const auto& direction) {
    directions(direction, at.atom.count, static_cast<float>(scales.clip * factor), static_cast<float>(rules_[tensor].l2 * factor), at.g,
               at.w, at.state, at.state + at.atom.count, at.scratch);
  };
  const Moments moments{static_cast<float>(now.first), static_cast<float>(now.second), static_cast<float>(optimizer_.epsilon)};
  const auto momentum = static_cast<float>(optimizer_.momentum);
  if (again) {
    loop(moments);
  } else if (adam) {
    loop(Adam{static_cast<float>(optimizer_.beta1), static_cast<float>(1 - optimizer_.beta1), static_cast<float>(optimizer_.beta2),
              static_cast<float>(1 - optimizer_.beta2), moments});
  } else if (momentum == 0) {
    loop(Gradient{});
  } else if (optimizer_.nesterov) {
    loop(Nesterov{momentum});
  } else {
    loop(Momentum{momentum});
  }
}

void Updater::update(const At& at, const StepRates& now, const StepScales& scales) const {
  const auto tensor = static_cast<std::size_t>(at.atom.tensor);
  const FlatTensor& of = layout_.tensors[tensor];
  const TensorRule& rule = rules_[tensor];
  const std::int64_t count = at.atom.count;
  if (!of.trained) {
    mix_state(static_cast<float>(of.momentum), count, at.g, at.w);
  } else {
    direct(at, now, scales, !rounds_.empty() && rounds_.back() == Round::direction);
    const double rate = rate_of(tensor, now, scales);
    descend(static_cast<float>(rate), static_cast<float>(rule.decay), count, at.scratch, at.w);
    const double threshold = threshold_of(tensor, rate, scales);
    if (rule.l1 > 0) {
      shrink(static_cast<float>(threshold * rule.l1), count, at.w);
    }
    if (rule.group > 0) {
      const std::int64_t row = row_length(of);
      shrink_rows(threshold * rule.group * std::sqrt(static_cast<double>(row)), row, count, at.w);
    }
  }
  if (average_ > 0) {
    average(static_cast<float>(now.average), count, at.w, at.state + (std::ssize(states_) - 1) * count);
  }
}

void Updater::measure(int round, const At& at, const StepRates& now, const StepScales& scales, double* sums) const {
  const auto tensor = static_cast<std::size_t>(at.atom.tensor);
  const auto count = static_cast<std::size_t>(at.atom.count);
  sums[0] = sums[1] = 0;
  if (!layout_.tensors[tensor].trained) {
    return;
  }
  const float* of = at.g;
  if (rounds_[static_cast<std::size_t>(round)] == Round::direction) {
    direct(at, now, scales, false);
    add_decayed(static_cast<float>(rules_[tensor].decay), at.atom.count, at.w, at.scratch);
    of = at.scratch;
  }
  sums[0] = squares({of, count});
  sums[1] = rules_[tensor].adapts ? squares({at.w, count}) : 0;
}

void Updater::scale(int round, std::span<const double> atom_sums, StepScales& scales) const {
  double all = 0;
  const bool of_gradient = rounds_[static_cast<std::size_t>(round)] == Round::gradient;
  const auto for_each_tensor = [&](const auto& visit) {
    std::span<const double> rest = atom_sums;
    for (std::size_t t = 0; t < rules_.size(); ++t) {
      std::array<double, 2> sums{};
      if (atoms_of_[t] > 0) {
        sum_lanes(rest.first(2 * atoms_of_[t]), sums);
      }
      rest = rest.subspan(2 * atoms_of_[t]);
      visit(t, sums[0], sums[1]);
    }
  };
  if (of_gradient) {
    for_each_tensor([&](std::size_t, double x, double) { all += x; });
    scales.norm = std::sqrt(all);
    scales.clip = clip_ > 0 && scales.norm > clip_ ? clip_ / scales.norm : 1;
  }
  for_each_tensor([&](std::size_t t, double x, double w) {
    if (rules_[t].adapts && !of_gradient) {
      scales.trust[t] = ratio_or_one(std::sqrt(w), std::sqrt(x));
    } else if (rules_[t].adapts && optimizer_.kind == Optimizer::Kind::lars) {
      scales.trust[t] = ratio_or_one(optimizer_.trust * std::sqrt(w), scales.clip * std::sqrt(x) + rules_[t].l2 * std::sqrt(w));
    }
  });
}

double Updater::penalty(std::span<const float> flat) const {
  double total = 0;
  for (std::size_t t = 0; t < rules_.size(); ++t) {
    const FlatTensor& tensor = layout_.tensors[t];
    const std::span<const float> values = values_of(tensor, flat);
    total += rules_[t].l2 > 0 ? rules_[t].l2 / 2 * sum_of_squares(values) : 0;
    total += rules_[t].l1 > 0 ? rules_[t].l1 * sum_over_atoms(values, magnitudes) : 0;
    if (rules_[t].group > 0) {
      const auto row = static_cast<std::size_t>(row_length(tensor));
      double norms = 0;
      for (std::size_t at = 0; at < values.size(); at += row) {
        norms += std::sqrt(squares(values.subspan(at, row)));
      }
      total += rules_[t].group * std::sqrt(static_cast<double>(row)) * norms;
    }
  }
  return total;
}

double sum_of_squares(std::span<const float> tensor) { return sum_over_atoms(tensor, squares); }

double parameter_norm(const FlatLayout& layout, std::span<const float> flat) {
  double sum = 0;
  for (const FlatTensor& tensor : layout.tensors) {
    sum += tensor.trained ? sum_of_squares(values_of(tensor, flat)) : 0;
  }
  return std::sqrt(sum);
}

}  // namespace lockstep
