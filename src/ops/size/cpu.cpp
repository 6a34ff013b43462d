#include "ops/size/size.hpp"

namespace lockstep {
namespace {

class SizeKernel final : public CpuKernel {
 public:
  explicit SizeKernel(float size) : size_(size) {}
  void run(const CpuCall& call) override { call.output(0)[0] = size_; }

 private:
  float size_;
};

}  // namespace

std::unique_ptr<CpuKernel> size_cpu(const KernelSpec& spec) {
  return std::make_unique<SizeKernel>(static_cast<float>(size_along(spec.in[0].shape, spec.attrs)));
}

}  // namespace lockstep
