#include "ops/max_pool/window.hpp"
#include "ops/vectors.hpp"

namespace lockstep {
namespace {

typedef std::int32_t Places __attribute__((vector_size(32)));

typedef std::int16_t Shorts __attribute__((vector_size(16)));
typedef std::uint8_t Bytes __attribute__((vector_size(8)));

/// Places in windows, bytes in memory. By way of shorts, as GCC converts bytes to and from ints one by one. The place of a float is an int.
void load_places(Places& places, const std::uint8_t* from) {
  Bytes bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  places = __builtin_convertvector(__builtin_convertvector(bytes, Shorts), Places);
}
void store_places(std::uint8_t* to, const Places& places) {
  const Bytes bytes = __builtin_convertvector(__builtin_convertvector(places, Shorts), Bytes);
  std::memcpy(to, &bytes, sizeof bytes);
}
void load_places(std::int32_t& place, const std::uint8_t* from) { place = *from; }
void store_places(std::uint8_t* to, const std::int32_t& place) { *to = static_cast<std::uint8_t>(place); }

/// The type of the places of T's numbers.
template <class T>
using PlacesOf = std::conditional_t<std::is_same_v<T, float>, std::int32_t, Places>;

/// One window's greatest numbers [lanes of T] and their places. Said to be inline, for GCC else calls it: a quarter slower.
template <int kSize, class T>
inline void greatest(const Pooling& p, const WindowPlace& at, const float* x, float* y, std::uint8_t* index) {
  using P = PlacesOf<T>;
  T best, v;
  load(best, x + at.x + (at.top * p.w + at.left) * p.lanes);
  P place = P{} + static_cast<std::int32_t>(at.top * p.window + at.left);
  p.inside<kSize>(at, [&](std::int64_t from, int here) {
    load(v, x + from);
    const auto take = ((v <= best) == 0) & (best == best);  // greater, or the first NaN
    best = take ? v : best;
    place = take ? P{} + here : place;
  });
  store(y, best);
  store_places(index, place);
}

}  // namespace

std::unique_ptr<CpuKernel> max_pool_cpu(const KernelSpec& spec) {
  return make_kernel([p = Pooling(windows_on(spec.in[0], spec.attrs, "max_pool"), spec.in_layouts[0])](const CpuCall& call) {
    p.for_each_sized_window([&](const WindowPlace& at, auto size) {
      in_vectors(p.lanes, [&](auto run, std::int64_t first) {
        using R = decltype(run);
        R::for_each(first, [&](int, std::int64_t lane) {
          greatest<size, typename R::Value>(p, at, call.input(0) + lane, call.output(0) + at.y + lane,
                                            call.output<std::uint8_t>(1) + at.y + lane);
        });
      });
    });
  });
}

std::unique_ptr<CpuKernel> max_pool_backward_cpu(const KernelSpec& spec) {
  return make_kernel([p = Pooling(windows_under(spec.in[1], spec.attrs, "max_pool_backward"), spec.in_layouts[0])](const CpuCall& call) {
    float* const dx = call.output(0);
    p.clear(dx);
    p.for_each_sized_window([&](const WindowPlace& at, auto size) {
      in_vectors(p.lanes, [&](auto run, std::int64_t first) {
        using R = decltype(run);
        R::for_each(first, [&](int, std::int64_t lane) {
          using T = typename R::Value;
          PlacesOf<T> index;
          T g, old{};
          load_places(index, call.input<std::uint8_t>(0) + at.y + lane);
          load(g, call.input(1) + at.y + lane);
          p.inside<size>(at, [&](std::int64_t to, int here) {
            const T part = index == here ? g : T{};
            if (!p.apart()) {
              load(old, dx + to + lane);
            }
            store(dx + to + lane, old + part);
          });
        });
      });
    });
  });
}

std::unique_ptr<CpuKernel> max_pool_pick_cpu(const KernelSpec& spec) {
  return make_kernel([p = Pooling(windows_on(spec.in[1], spec.attrs, "max_pool_pick"), spec.in_layouts[0])](const CpuCall& call) {
    p.for_each_window([&](const WindowPlace& at) {
      for (std::int64_t lane = 0; lane < p.lanes; ++lane) {
        const std::int64_t place = call.input<std::uint8_t>(0)[at.y + lane];
        const std::int64_t from = at.x + (place / p.window * p.w + place % p.window) * p.lanes;
        call.output(0)[at.y + lane] = call.input(1)[from + lane];
      }
    });
  });
}

}  // namespace lockstep
