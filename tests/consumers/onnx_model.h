// A stand-in for a network of the user's: ONNX that says what it is told to, made at test time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::testing {

struct ToldOutput {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;     // as many as the shape has
  std::vector<float> weights{};  // three for each value, of the mean of the picture's colours; too few: 0
};

// The model as a file's bytes: values + weights x mean of the picture, a 1 x 3 x height x width tensor.
std::string MakeOnnxModel(int width, int height, const std::vector<ToldOutput>& outputs);

}  // namespace millrace::testing
