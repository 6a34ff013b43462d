#include <cstring>

#include "ops/average_pool/average_pool.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

class AveragePoolKernel final : public CpuKernel {
 public:
  explicit AveragePoolKernel(const KernelSpec& spec)
      : s_(windows_on(spec.in[0], spec.attrs, "average_pool")), planes_(planes_of(s_.n, s_.c, spec.in_layouts[0])) {}

  void run(const CpuCall& call) override {
    const float share = 1.0f / static_cast<float>(s_.window * s_.window);
    for_each_window(s_, planes_, [&](const WindowPlace& at) {
      in_runs<8>(planes_.lanes, [&](auto width, std::int64_t lane) {
        float total[width] = {};
        for (std::int64_t p = at.top; p < at.bottom; ++p) {
          for (std::int64_t q = at.left; q < at.right; ++q) {
            const float* x = call.input(0) + at.x + (p * s_.w + q) * planes_.lanes + lane;
            for (int l = 0; l < width; ++l) {
              total[l] += x[l];
            }
          }
        }
        for (int l = 0; l < width; ++l) {
          call.output(0)[at.y + lane + l] = total[l] * share;
        }
      });
    });
  }

 private:
  Windows s_;
  Planes planes_;
};

class AveragePoolBackwardKernel final : public CpuKernel {
 public:
  explicit AveragePoolBackwardKernel(const KernelSpec& spec)
      : s_(windows_under(spec.in[0], spec.attrs, "average_pool_backward")), planes_(planes_of(s_.n, s_.c, spec.in_layouts[0])) {}

  void run(const CpuCall& call) override {
    const float share = 1.0f / static_cast<float>(s_.window * s_.window);
    const std::size_t plane_size = static_cast<std::size_t>(s_.h * s_.w * planes_.lanes);
    std::int64_t zeroed = -1;
    for_each_window(s_, planes_, [&](const WindowPlace& at) {
      if (at.plane != zeroed) {
        zeroed = at.plane;
        std::memset(call.output(0) + static_cast<std::size_t>(zeroed) * plane_size, 0, plane_size * sizeof(float));
      }
      for (std::int64_t p = at.top; p < at.bottom; ++p) {
        for (std::int64_t q = at.left; q < at.right; ++q) {
          float* dx = call.output(0) + at.x + (p * s_.w + q) * planes_.lanes;
          const float* g = call.input(0) + at.y;
          for (std::int64_t l = 0; l < planes_.lanes; ++l) {
            dx[l] += g[l] * share;
          }
        }
      }
    });
  }

 private:
  Windows s_;
  Planes planes_;
};

}  // namespace

std::unique_ptr<CpuKernel> average_pool_cpu(const KernelSpec& spec) {
  return std::make_unique<AveragePoolKernel>(spec);
}
std::unique_ptr<CpuKernel> average_pool_backward_cpu(const KernelSpec& spec) {
  return std::make_unique<AveragePoolBackwardKernel>(spec);
}

}  // namespace lockstep
