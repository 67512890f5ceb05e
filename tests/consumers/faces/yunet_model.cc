#include "yunet_model.h"

#include <cstdint>

#include "tests/consumers/onnx_model.h"

namespace millrace::testing {

std::string MakeYunetModel(const std::vector<PriorOutput>& outputs, const std::vector<std::string>& names) {
  constexpr std::uint64_t kColumns[] = {14, 2, 1};
  std::vector<float> values[] = {std::vector<float>(kPriorsOf64 * 14), std::vector<float>(kPriorsOf64 * 2),
                                 std::vector<float>(kPriorsOf64, 1.0F)};
  for (const PriorOutput& output : outputs) {
    const auto prior = static_cast<std::size_t>(output.prior);
    for (std::size_t i = 0; i < output.location.size(); ++i) values[0][prior * 14 + i] = output.location[i];
    values[1][prior * 2 + 1] = output.score;
  }
  std::vector<ToldOutput> told;
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) {
    told.push_back({names[i], {1, kPriorsOf64, static_cast<std::int64_t>(kColumns[i])}, values[i]});
  }
  return MakeOnnxModel(64, 64, told);
}

std::string MakeSfaceModel(int numbers) {
  const auto count = static_cast<std::size_t>(numbers);
  ToldOutput told{"fc1", {1, numbers}, std::vector<float>(count), std::vector<float>(3 * count)};
  // Each number is the mean of one of the three colours.
  for (std::size_t i = 0; i < count; ++i) told.weights[3 * i + i % 3] = 1;
  return MakeOnnxModel(112, 112, {told});
}

}  // namespace millrace::testing
