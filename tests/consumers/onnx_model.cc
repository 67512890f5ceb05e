#include "onnx_model.h"

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

// The graph as a file's bytes.
std::string Model(const std::string& graph) {
  std::string opset;
  AppendInt(opset, 2, 11);
  std::string model;
  AppendInt(model, 1, 6);  // ir_version
  AppendBytes(model, 7, graph);
  AppendBytes(model, 8, opset);
  return model;
}

}  // namespace

std::string MakeOnnxModel(int width, int height, const std::vector<ToldOutput>& outputs) {
  // mean of the picture (3 numbers) x weights + what it is told to say
  std::string graph;
  AppendBytes(graph, 1, Node("GlobalAveragePool", {"input"}, "mean"));
  AppendBytes(graph, 1, Node("Flatten", {"mean"}, "flat"));
  AppendBytes(graph, 2, "stand-in");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ToldOutput& output = outputs[i];
    const std::string id = std::to_string(i);
    const std::uint64_t size = output.values.size();
    std::vector<float> weights = output.weights;
    weights.resize(3 * size);
    AppendBytes(graph, 1, Gemm({"flat", "weights" + id, "told" + id}, "row" + id));
    AppendBytes(graph, 1, Node("Reshape", {"row" + id, "shape" + id}, output.name));
    AppendBytes(graph, 5, Floats("weights" + id, {size, 3}, weights));
    AppendBytes(graph, 5, Floats("told" + id, {size}, output.values));
    AppendBytes(graph, 5, Integers("shape" + id, output.shape));
  }
  const auto unsigned_size = [](int side) { return static_cast<std::uint64_t>(side); };
  AppendBytes(graph, 11, Value("input", {1, 3, unsigned_size(height), unsigned_size(width)}));
  for (const ToldOutput& output : outputs) {
    AppendBytes(graph, 12,
                Value(output.name, std::vector<std::uint64_t>(output.shape.begin(), output.shape.end())));
  }
  return Model(graph);
}

}  // namespace millrace::testing
