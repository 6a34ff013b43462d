#pragma once

#include <memory>
#include <utility>

#include "lockstep/kernel.hpp"

namespace lockstep {

/// A CPU kernel made of one function that needs no scratch memory; `f` keeps what it needs to know about the shapes.
template <class F>
std::unique_ptr<CpuKernel> make_kernel(F f) {
  class Kernel final : public CpuKernel {
   public:
    explicit Kernel(F run) : run_(std::move(run)) {}
    void run(const CpuCall& call) override { run_(call); }

   private:
    F run_;
  };
  return std::make_unique<Kernel>(std::move(f));
}

}  // namespace lockstep
