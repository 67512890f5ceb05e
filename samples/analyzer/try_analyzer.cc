// try_analyzer VIDEO.mkv [OPTIONS]: what the analyzer finds in a Matroska file, a line of JSON a frame.
#include <boost/json/serialize.hpp>
#include <fstream>
#include <iostream>
#include <iterator>

#include "brightness.h"
#include "consumers/analysis/option_reader.h"
#include "parser/decoder/fragment_decoder.h"
#include "parser/parse_fragment.h"

namespace {

millrace::Result<void> Run(const std::string& path, const std::string& text) {
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object options, millrace::ParseOptions(text));
  MILLRACE_ASSIGN_OR_RETURN(const auto analyzer, Brightness::Make(options));
  MILLRACE_ASSIGN_OR_RETURN(const auto stream, analyzer->Open("try", options));
  std::ifstream file(path, std::ios::binary);
  millrace::Bytes bytes(std::istreambuf_iterator<char>(file), {});
  MILLRACE_ASSIGN_OR_RETURN(const auto parsed,
                            millrace::ParseFragment(millrace::SharedBytes(std::move(bytes))));
  millrace::DecoderOptions decoding;
  decoding.selection = {millrace::FrameSelection::Kind::kPerSecond, 5};
  decoding.form = analyzer->picture_form();
  millrace::FragmentDecoder decoder(decoding);
  auto show = [&](const millrace::Picture& picture) -> millrace::Result<void> {
    millrace::AnalysisFrame frame;
    frame.image = picture.image;
    frame.stream = "try";
    frame.producer_time = millrace::Timestamp{picture.timestamp_ns};
    frame.key_frame = picture.key_frame;
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::object found, stream->Analyze(frame));
    std::cout << boost::json::serialize(found) << "\n";
    return {};
  };
  MILLRACE_RETURN_IF_ERROR(decoder.Decode(parsed, show));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "try_analyzer VIDEO.mkv [OPTIONS]\n";
    return 2;
  }
  const auto ran = Run(argv[1], argc > 2 ? argv[2] : "{}");
  if (!ran) std::cerr << ran.error().ToString() << "\n";
  return ran ? 0 : 1;
}
