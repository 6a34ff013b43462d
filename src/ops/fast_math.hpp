#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

/// Float functions without branches and calls, so that loops over them become vector code, and made of +, −, ×, ÷, fused multiply-add
/// (always where it is written, never where a compiler likes) and bit operations alone, so that their bits do not depend on the machine or
/// its mathematical library. Polynomials after Cephes (Moshier) where no other source is named. NaN gives NaN.
namespace lockstep::fast {

/// Nearest integer of x, |x| < 2^22, as a float and as bits from which the integer can be taken.
struct Rounded {
  float value;
  std::uint32_t integer;  ///< two's complement; anything when x is NaN
};
inline Rounded round_to_integer(float x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 · 2^23: adding it leaves no bits behind the point
  const float shifted = x + kMagic;
  return {shifted - kMagic, std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kMagic)};
}

/// 2^k for −126 ≤ k ≤ 127.
inline float power_of_two(std::uint32_t k) { return std::bit_cast<float>((k + 127U) << 23U); }

/// exp(x) = 2^k · (1 + q): the reduced part q = exp(r) − 1 with |r| ≤ ½ log 2.
struct ReducedExp {
  Rounded k;
  float q;
};
inline ReducedExp reduce_exp(float x) {
  const Rounded k = round_to_integer(x * 1.44269504F);
  const float r = std::fma(k.value, 2.12194440e-4F, std::fma(k.value, -0.693359375F, x));
  float p = 1.9875691500e-4F;
  p = std::fma(p, r, 1.3981999507e-3F);
  p = std::fma(p, r, 8.3334519073e-3F);
  p = std::fma(p, r, 4.1665795894e-2F);
  p = std::fma(p, r, 1.6666665459e-1F);
  p = std::fma(p, r, 5.0000001201e-1F);
  return {k, std::fma(r * r, p, r)};
}

/// Within 1 ulp of exp; 0 below −104, ∞ above 88.73.
inline float exp(float x) {
  x = x < -105.0F ? -105.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const ReducedExp e = reduce_exp(x);
  // In two factors: 2^k itself may be no normal number.
  const std::uint32_t half = static_cast<std::uint32_t>(static_cast<std::int32_t>(e.k.integer) >> 1);
  return (1.0F + e.q) * power_of_two(half) * power_of_two(e.k.integer - half);
}

/// As exp, and quicker, where x ≤ 88 and the result is a normal number; 0 where it would be less.
inline float exp_normal(float x) {
  const float least = -87.3F;
  const ReducedExp e = reduce_exp(x < least ? least : x);
  const float y = (1.0F + e.q) * power_of_two(e.k.integer);
  return x < least ? 0.0F : y;
}

/// exp(x) − 1 within 2 ulp, near 0 too; ∞ above 88.73.
inline float expm1(float x) {
  x = x < -30.0F ? -30.0F : x;
  x = x > 89.0F ? 89.0F : x;
  const ReducedExp e = reduce_exp(x);
  const float half = power_of_two(e.k.integer - 1U);  // halves: 2^k itself may be too great
  return 2.0F * (half * e.q + (half - 0.5F));
}

/// Within 1 ulp of log; −∞ at 0, NaN below.
inline float log(float x) {
  const bool tiny = x < std::numeric_limits<float>::min();
  const float scaled = tiny ? x * 0x1p23F : x;
  // x = m · 2^e with √½ ≤ m < √2
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled) - 0x3F3504F3U;
  const float e = static_cast<float>(static_cast<std::int32_t>(bits) >> 23) - (tiny ? 23.0F : 0.0F);
  const float m = std::bit_cast<float>((bits & 0x007FFFFFU) + 0x3F3504F3U) - 1.0F;
  float p = 7.0376836292e-2F;
  p = p * m - 1.1514610310e-1F;
  p = p * m + 1.1676998740e-1F;
  p = p * m - 1.2420140846e-1F;
  p = p * m + 1.4249322787e-1F;
  p = p * m - 1.6668057665e-1F;
  p = p * m + 2.0000714765e-1F;
  p = p * m - 2.4999993993e-1F;
  p = p * m + 3.3333331174e-1F;
  const float square = m * m;
  const float low = m * square * p + e * -2.12194440e-4F - 0.5F * square;
  float y = m + low + e * 0.693359375F;
  y = x == std::numeric_limits<float>::infinity() ? x : y;
  y = x == 0.0F ? -std::numeric_limits<float>::infinity() : y;
  return x >= 0.0F ? y : std::numeric_limits<float>::quiet_NaN();
}

/// log(1 + x) for x ≥ 0: the rounding of 1 + x is put right to first order.
inline float log1p(float x) {
  const float y = 1.0F + x;
  const float lost = x - (y - 1.0F);
  return log(y) + (x < 1e10F ? lost / y : 0.0F);
}

inline float sigmoid(float x) { return 1.0F / (1.0F + exp(-x)); }

inline float tanh(float x) {
  const float t = std::abs(x);
  const float e = expm1(2.0F * (t > 15.0F ? 15.0F : t));
  return std::copysign(e / (e + 2.0F), x);
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(−|x|))
inline float softplus(float x) { return (x > 0.0F ? x : 0.0F) + log1p(exp(-std::abs(x))); }

/// Within 2 ulp. Polynomials by Norbert Juffa (public domain): a·P(a²) near 0, else 1 − exp(Q(|a|)).
inline float erf(float a) {
  const float t = std::abs(a) > 4.0F ? 4.0F : std::abs(a);
  const float s = t * t;
  float r = -1.72853470e-5F * t + 3.83197126e-4F;
  const float u = -3.88396438e-3F * t + 2.42546219e-2F;
  r = r * s + u;
  r = r * t - 1.06777877e-1F;
  r = r * t - 6.34846687e-1F;
  r = r * t - 1.28717512e-1F;
  r = r * t - t;
  const float far = std::copysign(1.0F - exp(r), a);
  float p = -5.96761703e-4F;
  p = p * s + 4.99119423e-3F;
  p = p * s - 2.67681349e-2F;
  p = p * s + 1.12819925e-1F;
  p = p * s - 3.76125336e-1F;
  p = p * s + 1.28379166e-1F;
  const float near = p * a + a;
  return t > 0.927734375F ? far : near;
}

/// The normal density and tail at a = min(|x|, 15), in parts: φ(a) = density·√(1/2π), Φ(−a) = density·tail with density = exp(−a²/2).
/// `tail` is a polynomial without constant term in t = 1 / (1 + 0.305·a), fitted to a relative error of 1e-7.
struct NormalTail {
  float a, density, tail;
};
inline NormalTail normal_tail(float x) {
  const float a = std::abs(x) > 15.0F ? 15.0F : std::abs(x);
  const float t = 1.0F / std::fma(0.305F, a, 1.0F);
  float p = 0.0366991804F;
  p = std::fma(p, t, -0.15298827F);
  p = std::fma(p, t, 0.185716829F);
  p = std::fma(p, t, -0.0379767584F);
  p = std::fma(p, t, 0.12102164F);
  p = std::fma(p, t, 0.103420879F);
  p = std::fma(p, t, 0.122466815F);
  p = std::fma(p, t, 0.121639733F);
  return {a, exp_normal(-0.5F * (a * a)), p * t};
}

/// x·Φ(x) without cancellation: the positive part of x less what the tail takes.
inline float gelu(float x) {
  const NormalTail n = normal_tail(x);
  return (x > 0.0F ? x : 0.0F) - n.a * (n.density * n.tail);
}

/// The derivative of gelu: Φ(x) + x·φ(x).
inline float gelu_slope(float x) {
  const NormalTail n = normal_tail(x);
  const float tail = n.density * n.tail, product = n.a * 0.398942280F * n.density;
  return x > 0.0F ? (1.0F - tail) + product : tail - product;
}

/// sin and cos of 2π·u for 0 ≤ u ≤ 1.
struct SinCos {
  float sin, cos;
};
inline SinCos sincos_turns(float u) {
  const Rounded quarter = round_to_integer(4.0F * u);
  const float r = (u - 0.25F * quarter.value) * 6.28318531F;  // |r| ≤ π/4
  const float z = r * r;
  const float s = ((-1.9515295891e-4F * z + 8.3321608736e-3F) * z - 1.6666654611e-1F) * z * r + r;
  const float c = ((2.443315711809948e-5F * z - 1.388731625493765e-3F) * z + 4.166664568298827e-2F) * z * z - 0.5F * z + 1.0F;
  const bool swap = (quarter.integer & 1U) != 0;
  const float sin = swap ? c : s;
  const float cos = swap ? s : c;
  return {(quarter.integer & 2U) != 0 ? -sin : sin, ((quarter.integer + 1U) & 2U) != 0 ? -cos : cos};
}

}  // namespace lockstep::fast
