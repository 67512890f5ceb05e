// Stand-ins for the models that users have: ONNX with YuNet's (of March 2022) inputs and outputs, that sees
// what it is told to; and with SFace's.
#pragma once

#include <string>
#include <vector>

namespace millrace::testing {

// What the network says for one anchor (its "prior") of a 64 x 64 picture, of which there are 235.
struct PriorOutput {
  int prior = 0;
  float score = 1;                // of a face, 0 to 1: conf's second column; iou's is 1
  std::vector<float> location{};  // loc's row: 14 numbers
};

inline constexpr int kPriorsOf64 = 235;

// The model as a file's bytes; all other anchors say that there is no face. `names`: of the outputs.
std::string MakeYunetModel(const std::vector<PriorOutput>& outputs,
                           const std::vector<std::string>& names = {"loc", "conf", "iou"});

// A stand-in for SFace: `numbers` numbers of a 112 x 112 picture, which follow from its mean colour alone.
std::string MakeSfaceModel(int numbers);

}  // namespace millrace::testing
