#include "yunet_model.h"

#include <cstdint>
#include <cstring>

namespace millrace::testing {
namespace {

// Protocol buffers' wire format, as much as ONNX needs (onnx.proto names the fields).
void AppendVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void AppendInt(std::string& out, int field, std::uint64_t value) {
  AppendVarint(out, static_cast<std::uint64_t>(field) << 3);
  AppendVarint(out, value);
}
void AppendBytes(std::string& out, int field, const std::string& value) {
  AppendVarint(out, static_cast<std::uint64_t>(field) << 3 | 2);
  AppendVarint(out, value.size());
  out += value;
}

template <typename T>
std::string Tensor(const std::string& name, std::uint64_t data_type, const std::vector<std::uint64_t>& shape,
                   const std::vector<T>& values) {
  std::string tensor;
  for (const std::uint64_t size : shape) AppendInt(tensor, 1, size);  // dims
  AppendInt(tensor, 2, data_type);
  AppendBytes(tensor, 8, name);
  std::string raw(values.size() * sizeof(T), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  AppendBytes(tensor, 9, raw);  // raw_data
  return tensor;
}
std::string Floats(const std::string& name, const std::vector<std::uint64_t>& shape,
                   const std::vector<float>& values) {
  return Tensor(name, 1, shape, values);
}
std::string Integers(const std::string& name, const std::vector<std::int64_t>& values) {
  return Tensor(name, 7, {values.size()}, values);
}

std::string Node(const std::string& type, const std::vector<std::string>& inputs, const std::string& output) {
  std::string node;
  for (const std::string& input : inputs) AppendBytes(node, 1, input);
  AppendBytes(node, 2, output);
  AppendBytes(node, 3, type + " " + output);
  AppendBytes(node, 4, type);
  return node;
}

// The weights are given as output x input.
std::string Gemm(const std::vector<std::string>& inputs, const std::string& output) {
  std::string transposed;
  AppendBytes(transposed, 1, "transB");
  AppendInt(transposed, 3, 1);
  AppendInt(transposed, 20, 2);  // type: an integer
  std::string node = Node("Gemm", inputs, output);
  AppendBytes(node, 5, transposed);
  return node;
}

std::string Value(const std::string& name, const std::vector<std::uint64_t>& shape) {
  std::string dimensions;
  for (const std::uint64_t size : shape) {
    std::string dimension;
    AppendInt(dimension, 1, size);
    AppendBytes(dimensions, 1, dimension);
  }
  std::string tensor;
  AppendInt(tensor, 1, 1);  // elem_type: float
  AppendBytes(tensor, 2, dimensions);
  std::string type;
  AppendBytes(type, 1, tensor);
  std::string value;
  AppendBytes(value, 1, name);
  AppendBytes(value, 2, type);
  return value;
}

}  // namespace

std::string MakeYunetModel(const std::vector<PriorOutput>& outputs, const std::vector<std::string>& names) {
  constexpr std::uint64_t kColumns[] = {14, 2, 1};
  std::vector<float> values[] = {std::vector<float>(kPriorsOf64 * 14), std::vector<float>(kPriorsOf64 * 2),
                                 std::vector<float>(kPriorsOf64, 1.0F)};
  for (const PriorOutput& output : outputs) {
    const auto prior = static_cast<std::size_t>(output.prior);
    for (std::size_t i = 0; i < output.location.size(); ++i) values[0][prior * 14 + i] = output.location[i];
    values[1][prior * 2 + 1] = output.score;
  }
  // mean of the picture (3 numbers) x zeros + what it is told to say
  std::string graph;
  AppendBytes(graph, 1, Node("GlobalAveragePool", {"input"}, "mean"));
  AppendBytes(graph, 1, Node("Flatten", {"mean"}, "flat"));
  AppendBytes(graph, 2, "stand-in");
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) {
    const std::string id = std::to_string(i);
    const std::uint64_t size = values[i].size();
    AppendBytes(graph, 1, Gemm({"flat", "zeros" + id, "told" + id}, "row" + id));
    AppendBytes(graph, 1, Node("Reshape", {"row" + id, "shape" + id}, names[i]));
    AppendBytes(graph, 5, Floats("zeros" + id, {size, 3}, std::vector<float>(3 * size)));
    AppendBytes(graph, 5, Floats("told" + id, {size}, values[i]));
    AppendBytes(graph, 5, Integers("shape" + id, {1, kPriorsOf64, static_cast<std::int64_t>(kColumns[i])}));
  }
  AppendBytes(graph, 11, Value("input", {1, 3, 64, 64}));
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) {
    AppendBytes(graph, 12, Value(names[i], {1, kPriorsOf64, kColumns[i]}));
  }
  std::string opset;
  AppendInt(opset, 2, 11);
  std::string model;
  AppendInt(model, 1, 6);  // ir_version
  AppendBytes(model, 7, graph);
  AppendBytes(model, 8, opset);
  return model;
}

}  // namespace millrace::testing
