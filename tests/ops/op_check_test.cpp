#include "ops/op_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "runtime/philox.hpp"
#include "runtime/reference.hpp"

namespace lockstep::test {
namespace {

double read(const std::byte* at, DType dtype) {
  if (dtype == DType::f32) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  if (dtype == DType::i32) {
    std::int32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  return static_cast<double>(std::to_integer<int>(*at));
}

void write(std::byte* at, DType dtype, double number) {
  if (dtype == DType::f32) {
    const auto value = static_cast<float>(number);
    std::memcpy(at, &value, sizeof value);
  } else if (dtype == DType::i32) {
    const auto value = static_cast<std::int32_t>(number);
    std::memcpy(at, &value, sizeof value);
  } else {
    *at = static_cast<std::byte>(static_cast<int>(number));
  }
}

/// Memory aligned to 64 bytes, with a guard behind it; starts as NaN.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(::operator new (bytes + kGuard, std::align_val_t{64}))) {
    std::memset(data_.get(), 0xFF, bytes);
    std::memset(data_.get() + bytes, 0x5A, kGuard);
  }
  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool guard_is_whole() const {
    return std::all_of(data_.get() + bytes_, data_.get() + bytes_ + kGuard, [](std::byte b) { return b == std::byte{0x5A}; });
  }

 private:
  static constexpr std::size_t kGuard = 256;
  struct Free {
    void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> data_;
};

/// Where element i of the row-major order lies under a layout.
std::size_t place(std::size_t i, const Shape& shape, Layout layout) {
  if (layout == Layout::plain) {
    return i;
  }
  const auto c_count = static_cast<std::size_t>(shape[1]), area = static_cast<std::size_t>(shape[2] * shape[3]);
  const std::size_t n = i / (c_count * area), c = i / area % c_count, p = i % area;
  return (n * area + p) * c_count + c;
}

std::vector<Numbers> operands(const OpCase& c) {
  std::vector<Numbers> result;
  for (std::size_t i = 0; i < c.in.size(); ++i) {
    if (i < c.data.size() && !c.data[i].empty()) {
      result.push_back(c.data[i]);
      EXPECT_EQ(result.back().size(), static_cast<std::size_t>(c.in[i].elements())) << "the case gives operand " << i << " wrongly";
    } else {
      result.push_back(c.in[i].dtype == DType::f32 ? normal_numbers(c.in[i].elements(), i + 1)
                                                   : Numbers(static_cast<std::size_t>(c.in[i].elements()), 0.0));
    }
  }
  return result;
}

/// The index into an operand for element i of a broadcast result.
std::size_t broadcast_index(std::size_t i, const Shape& from, const Shape& to) {
  std::size_t index = 0, stride = 1;
  for (int axis = 1; axis <= to.rank(); ++axis) {
    const auto length = static_cast<std::size_t>(to[-axis]);
    if (axis <= from.rank()) {
      index += from[-axis] == 1 ? 0 : i % length * stride;
      stride *= static_cast<std::size_t>(from[-axis]);
    }
    i /= length;
  }
  return index;
}

Numbers run_tiles(TileFunction tile, const OpCase& c, const std::vector<Numbers>& data, const TensorType& out) {
  const auto n = static_cast<std::size_t>(out.elements());
  Numbers result(n);
  for (std::size_t begin = 0; begin < n; begin += kTile) {
    const std::size_t count = std::min(kTile, n - begin);
    std::vector<Buffer> in;
    std::vector<const float*> pointers;
    for (std::size_t k = 0; k < c.in.size(); ++k) {
      in.emplace_back(count * sizeof(float));
      for (std::size_t i = 0; i < count; ++i) {
        write(in[k].data() + i * sizeof(float), DType::f32, data[k][broadcast_index(begin + i, c.in[k].shape, out.shape)]);
      }
      pointers.push_back(reinterpret_cast<const float*>(in[k].data()));
    }
    const Buffer y(count * sizeof(float));
    tile(reinterpret_cast<float*>(y.data()), pointers.data(), count, c.attrs);
    EXPECT_TRUE(y.guard_is_whole()) << c.op.name() << " writes past the end of its tile";
    for (std::size_t i = 0; i < count; ++i) {
      result[begin + i] = read(y.data() + i * sizeof(float), DType::f32);
    }
    tile(reinterpret_cast<float*>(in[0].data()), pointers.data(), count, c.attrs);
    EXPECT_EQ(std::memcmp(in[0].data(), y.data(), y.bytes()), 0) << c.op.name() << " gives other bits in place";
  }
  return result;
}

std::vector<Numbers> run_kernel(const OpEntry& line, const OpCase& c, const std::vector<Numbers>& data,
                                const std::vector<TensorType>& out) {
  KernelSpec spec{c.attrs, c.in, out, c.in_layouts, std::vector<Layout>(out.size(), Layout::plain)};
  spec.in_layouts.resize(c.in.size(), Layout::plain);
  if (line.layouts != nullptr) {
    line.layouts(spec);
  }
  const std::unique_ptr<CpuKernel> kernel = line.cpu(spec);
  const Buffer scratch(kernel->scratch_bytes());
  std::vector<Buffer> in, first, second;
  std::vector<const std::byte*> in_pointers;
  for (std::size_t k = 0; k < c.in.size(); ++k) {
    const std::size_t size = size_of(c.in[k].dtype);
    in.emplace_back(c.in[k].bytes());
    for (std::size_t i = 0; i < data[k].size(); ++i) {
      write(in[k].data() + place(i, c.in[k].shape, spec.in_layouts[k]) * size, c.in[k].dtype, data[k][i]);
    }
    in_pointers.push_back(in[k].data());
  }
  for (std::vector<Buffer>* outputs : {&first, &second}) {
    std::vector<std::byte*> out_pointers;
    for (const TensorType& type : out) {
      outputs->emplace_back(type.bytes());
      out_pointers.push_back(outputs->back().data());
    }
    std::memset(scratch.data(), 0xFF, scratch.bytes());
    kernel->run({in_pointers, out_pointers, scratch.data(), c.step});
  }
  EXPECT_TRUE(scratch.guard_is_whole()) << c.op.name() << " writes past the end of its scratch memory";
  std::vector<Numbers> result;
  for (std::size_t k = 0; k < out.size(); ++k) {
    EXPECT_TRUE(first[k].guard_is_whole()) << c.op.name() << " writes past the end of output " << k;
    EXPECT_EQ(std::memcmp(first[k].data(), second[k].data(), first[k].bytes()), 0) << c.op.name() << ": a second call gives other bits";
    const std::size_t size = size_of(out[k].dtype);
    result.emplace_back();
    for (std::size_t i = 0; i < static_cast<std::size_t>(out[k].elements()); ++i) {
      result[k].push_back(read(first[k].data() + place(i, out[k].shape, spec.out_layouts[k]) * size, out[k].dtype));
    }
  }
  return result;
}

/// Σ w·y with w = 0.5, 0.75, … repeated: a scalar that depends on every element of y differently.
struct ScalarCase {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  Value scalar;
  GradientCheckOptions options;
  std::vector<std::string> names;
};

ScalarCase make_scalar(const GradientCase& c) {
  ScalarCase result;
  std::vector<Value> parameters;
  for (std::size_t i = 0; i < c.shapes.size(); ++i) {
    result.names.push_back(fmt::format("p{}", i));
    parameters.push_back(result.graph->parameter(result.names.back(), c.shapes[i], {}));
    if (i < c.data.size() && !c.data[i].empty()) {
      result.options.leaves[result.names.back()] = c.data[i];
    }
  }
  for (const auto& [name, numbers] : c.leaves) {
    result.options.leaves[name] = numbers;
  }
  const Value y = c.build(*result.graph, parameters);
  Numbers weights(static_cast<std::size_t>(y.type().elements()));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = 0.5 + 0.25 * static_cast<double>(i % 7);
  }
  result.options.leaves["weights of the test"] = weights;
  const Value w = result.graph->state("weights of the test", y.shape(), {});
  result.scalar = sum(mul(y, w));
  return result;
}

std::vector<Value> parameters_of(Graph& graph, const std::vector<std::string>& names) {
  std::vector<Value> result;
  for (const std::string& name : names) {
    for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
      const Node& node = graph.nodes()[id];
      if (node.op == &leaf::parameter() && node.attrs.text("name") == name) {
        result.push_back(graph.value({static_cast<int>(id), 0}));
      }
    }
  }
  return result;
}

}  // namespace

Numbers normal_numbers(std::int64_t count, std::uint64_t seed) {
  Numbers result;
  for (std::int64_t i = 0; i < count; ++i) {
    const PhiloxCounter r = philox({static_cast<std::uint32_t>(i), 0, 0, 0}, philox_key(seed, "test", "normal"));
    const double z = std::sqrt(-2 * std::log(1 - unit_double(r[0], r[1]))) * std::cos(2 * M_PI * unit_double(r[2], r[3]));
    result.push_back(static_cast<float>(z));
  }
  return result;
}

Numbers even_numbers(std::int64_t count, double low, double high) {
  Numbers result;
  for (std::int64_t i = 0; i < count; ++i) {
    const double part = count == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(count - 1);
    result.push_back(static_cast<float>(low + (high - low) * part));
  }
  return result;
}

Numbers integer_numbers(std::int64_t count, std::int64_t below, std::uint64_t seed) {
  Numbers result;
  for (std::int64_t i = 0; i < count; ++i) {
    const PhiloxCounter r = philox({static_cast<std::uint32_t>(i), 0, 0, 0}, philox_key(seed, "test", "integer"));
    result.push_back(static_cast<double>(r[0] % static_cast<std::uint32_t>(below)));
  }
  return result;
}

std::vector<Numbers> reference_outputs(const OpCase& c) {
  const std::vector<Numbers> data = operands(c);
  const std::vector<TensorType> types = c.op.infer(c.in, c.attrs);
  std::vector<Numbers> result;
  for (const TensorType& type : types) {
    result.emplace_back(static_cast<std::size_t>(type.elements()), std::numeric_limits<double>::quiet_NaN());
  }
  const std::vector<std::span<const double>> in(data.begin(), data.end());
  const std::vector<std::span<double>> out(result.begin(), result.end());
  entry(c.op).reference({c.attrs, c.in, types, in, out, c.step});
  return result;
}

std::vector<Numbers> cpu_outputs(const OpCase& c) {
  const OpEntry& line = entry(c.op);
  const std::vector<TensorType> types = c.op.infer(c.in, c.attrs);
  if (line.tile != nullptr) {
    return {run_tiles(line.tile, c, operands(c), types[0])};
  }
  return run_kernel(line, c, operands(c), types);
}

void expect_close(const Numbers& got, const Numbers& wanted, double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  double squares = 0, finite = 0;
  for (const double w : wanted) {
    squares += std::isfinite(w) ? w * w : 0;
    finite += std::isfinite(w) ? 1 : 0;
  }
  const double typical = std::sqrt(squares / std::max(finite, 1.0));
  int wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool alike = std::isfinite(wanted[i]) ? std::abs(got[i] - wanted[i]) <= tolerance * std::max(std::abs(wanted[i]), typical)
                                                : (std::isnan(wanted[i]) ? std::isnan(got[i]) : got[i] == wanted[i]);
    if (!alike && ++wrong <= 3) {
      ADD_FAILURE() << fmt::format("{}: element {} of {} is {:.9g}, wanted {:.9g} (typical size {:.3g})", what, i, got.size(), got[i],
                                   wanted[i], typical);
    }
  }
  EXPECT_EQ(wrong, 0) << what << ": wrong elements";
}

void expect_cpu_matches_reference(const OpCase& c, double tolerance) {
  std::string what(c.op.name());
  for (const TensorType& type : c.in) {
    what += fmt::format(" {}", type.str());
  }
  const std::vector<Numbers> wanted = reference_outputs(c);
  const std::vector<Numbers> got = cpu_outputs(c);
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    expect_close(got[i], wanted[i], tolerance, fmt::format("{}, output {}", what, i));
  }
}

void expect_gradient(const GradientCase& c, double tolerance) {
  ScalarCase s = make_scalar(c);
  s.options.tolerance = tolerance;
  const GradientCheck check = check_gradient(s.scalar, parameters_of(*s.graph, s.names), s.options);
  EXPECT_TRUE(check.ok) << check.where << "\n" << s.graph->str();
}

void expect_second_gradient(const GradientCase& c, double tolerance) {
  ScalarCase s = make_scalar(c);
  s.options.tolerance = tolerance;
  s.graph->set_output("scalar", s.scalar);
  Graph expanded = expand_all(*s.graph);
  const GradientCheck check = check_second_gradient(expanded.value(expanded.output("scalar")), parameters_of(expanded, s.names), s.options);
  EXPECT_TRUE(check.ok) << check.where << "\n" << expanded.str();
}

Numbers reference_of(const GradientCase& c) {
  Graph graph;
  std::vector<Value> parameters;
  NamedNumbers leaves = c.leaves;
  for (std::size_t i = 0; i < c.shapes.size(); ++i) {
    const std::string name = fmt::format("p{}", i);
    parameters.push_back(graph.parameter(name, c.shapes[i], {}));
    leaves[name] = i < c.data.size() && !c.data[i].empty() ? c.data[i] : normal_numbers(c.shapes[i].elements(), i + 1);
  }
  graph.set_output("y", c.build(graph, parameters));
  return run_reference(graph, leaves, {}, reference_kernel).at("y");
}

void expect_shape_error(const std::vector<Shape>& shapes, const Build& build) {
  Graph graph;
  std::vector<Value> parameters;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    parameters.push_back(graph.parameter(fmt::format("p{}", i), shapes[i], {}));
  }
  EXPECT_THROW(static_cast<void>(build(graph, parameters)), ShapeError);
}

}  // namespace lockstep::test
