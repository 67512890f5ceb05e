// Decodes the key frames of a Matroska file.
#include <fstream>
#include <iostream>
#include <iterator>

#include "parser/decoder/fragment_decoder.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream in(argv[1], std::ios::binary);
  const auto fragment =
      millrace::ParseFragment(millrace::SharedBytes(millrace::Bytes(std::istreambuf_iterator<char>(in), {})));
  if (!fragment) {
    std::cerr << fragment.error().ToString() << "\n";
    return 1;
  }
  millrace::FragmentDecoder decoder({.selection = {millrace::FrameSelection::Kind::kKeyFrames}});
  const auto report =
      decoder.Decode(*fragment, [](const millrace::Picture& picture) -> millrace::Result<void> {
        std::cout << "picture of " << picture.image.cols << " x " << picture.image.rows << "\n";
        return {};
      });
  if (!report) std::cerr << report.error().ToString() << "\n";
  return report ? 0 : 1;
}
