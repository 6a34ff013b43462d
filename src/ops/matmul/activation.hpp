#pragma once

#include "runtime/onednn.hpp"

/// The activation that the plan may fuse into a product or a convolution: attribute "activation", one of relu, tanh, sigmoid, elu (with the
/// real attribute "alpha"), gelu, softplus and silu, each the op of that name applied to the result. Models never set it.
namespace lockstep {

/// The attribute's name.
inline constexpr const char* kActivation = "activation";

/// The reference of that op on `numbers`, in place, where `attrs` name one. Throws UsageError for an unknown name.
void activate(const Attrs& attrs, std::span<double> numbers);
/// oneDNN's attributes with the activation as a post-op.
[[nodiscard]] dnnl::primitive_attr attributes_with_activation(const Attrs& attrs);

/// Throws UsageError when `attrs` name an activation: fusion comes after differentiation.
void require_no_activation(const Attrs& attrs, std::string_view op);

}  // namespace lockstep
