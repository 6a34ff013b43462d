#include "ops/keyed.hpp"

#include "ops/fast_math.hpp"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace lockstep {
std::vector<TensorType> infer_drawn(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 0);
  return {{batch_shape(attrs), DType::f32}};
}

KeyedNumbers keyed_uniforms(const KeyedWords& words) {
  KeyedNumbers numbers;
  for (std::size_t i = 0; i < kKeyedBlock; ++i) {
    numbers[i] = static_cast<float>(static_cast<std::int32_t>(words[i] >> 8U)) * 0x1p-24F;
  }
  return numbers;
}

KeyedNumbers keyed_normals(const KeyedWords& words) {
  KeyedNumbers numbers;
  for (std::size_t pair = 0; pair < kKeyedBlock; pair += 2 * kKeyedCounters) {
    for (std::size_t j = pair; j < pair + kKeyedCounters; ++j) {
      const float u = static_cast<float>(static_cast<std::int32_t>((words[j] >> 8U) + 1U)) * 0x1p-24F;
      const float v = static_cast<float>(static_cast<std::int32_t>(words[j + kKeyedCounters] >> 8U)) * 0x1p-24F;
      const float radius = std::sqrt(-2.0F * fast::log(u));
      const fast::SinCos turn = fast::sincos_turns(v);
      numbers[j] = radius * turn.cos;
      numbers[j + kKeyedCounters] = radius * turn.sin;
    }
  }
  return numbers;
}

#ifdef __AVX2__
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53U, kMultiplier1 = 0xCD9E8D57U;  // as in philox()
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U, kWeyl1 = 0xBB67AE85U;

/// Four counters, each word in the low half of a lane of 64 bits; what stands in the high halves does not matter, since products read the
/// low ones alone. Compilers do not find this form by themselves.
struct FourCounters {
  __m256i c0, c1, c2, c3;

  void round(__m256i k0, __m256i k1) {
    const __m256i p0 = _mm256_mul_epu32(c0, _mm256_set1_epi64x(kMultiplier0));
    const __m256i p1 = _mm256_mul_epu32(c2, _mm256_set1_epi64x(kMultiplier1));
    c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1), k0);
    c1 = p1;
    c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3), k1);
    c3 = p0;
  }
};

/// Counters 0, 2, 4, 6 and 1, 3, 5, 7 back in their order.
__m256i interleave(__m256i even, __m256i odd) { return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0b10101010); }

}  // namespace

void KeyedSource::words(KeyedWords& out, std::size_t row, std::size_t block) const {
  const __m256i c1 = _mm256_set1_epi64x(first_row + static_cast<std::uint32_t>(row));
  const __m256i c2 = _mm256_set1_epi64x(step_low), c3 = _mm256_set1_epi64x(step_high);
  const auto first = static_cast<std::uint32_t>(block * kKeyedCounters);
  std::array<FourCounters, kKeyedCounters / 4> counters;
  for (std::uint32_t i = 0; i < counters.size(); ++i) {  // even and odd counters of the first eight, then of the next
    const std::uint32_t start = first + i / 2 * 8 + i % 2;
    counters[i] = {_mm256_set_epi64x(start + 6, start + 4, start + 2, start), c1, c2, c3};
  }
  PhiloxKey k = key;
  for (int round = 0; round < 10; ++round) {
    const __m256i k0 = _mm256_set1_epi64x(k[0]), k1 = _mm256_set1_epi64x(k[1]);
    for (FourCounters& four : counters) {
      four.round(k0, k1);
    }
    k[0] += kWeyl0;
    k[1] += kWeyl1;
  }
  for (std::size_t i = 0; i < counters.size(); i += 2) {
    const FourCounters &even = counters[i], &odd = counters[i + 1];
    auto* const to = reinterpret_cast<__m256i*>(out.data() + 4 * i);
    _mm256_storeu_si256(to, interleave(even.c0, odd.c0));
    _mm256_storeu_si256(to + kKeyedCounters / 8, interleave(even.c1, odd.c1));
    _mm256_storeu_si256(to + 2 * kKeyedCounters / 8, interleave(even.c2, odd.c2));
    _mm256_storeu_si256(to + 3 * kKeyedCounters / 8, interleave(even.c3, odd.c3));
  }
}

#else

void KeyedSource::words(KeyedWords& out, std::size_t row, std::size_t block) const {
  for (std::size_t c = 0; c < kKeyedCounters; ++c) {
    const auto number = static_cast<std::uint32_t>(block * kKeyedCounters + c);
    const PhiloxCounter words = philox({number, first_row + static_cast<std::uint32_t>(row), step_low, step_high}, key);
    for (std::size_t w = 0; w < words.size(); ++w) {
      out[w * kKeyedCounters + c] = words[w];
    }
  }
}

#endif

}  // namespace lockstep
