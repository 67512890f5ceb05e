// How many cameras can one core watch for motion and tampering, and how much of that is decoding?
//
//   analyzers_bench --file VIDEO.mkv [--pictures N] [--seconds N] [--json FILE]
//
// N pictures of each second (default 5) of the file, H.264 (1080p in scripts/bench), through the parser and
// the decoder as `millrace analyze` does:
//
//   decode          nothing is done with them: the floor, whatever is looked for
//   motion, tamper  by analyzers of these names, at their defaults
//
// Cameras a core are the video's seconds by the processor's. One thread each (OpenCV's and libavcodec's are
// switched off), and time is the thread's own, so that other work on the machine changes little. Rounds
// alternate; each figure is the best of its rounds.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <opencv2/core.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consumers/analyzers/built_in_analyzers.h"
#include "parser/decoder/fragment_decoder.h"

namespace millrace {
namespace {

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <typename T>
T Need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return std::move(*result);
}

struct Way {
  std::string name;
  std::unique_ptr<FrameAnalyzer> analyzer;  // none: the floor
  double best_s = 0;
  double analysis_s = 0;
  std::size_t pictures = 0;
};

// One round: seconds of the processor.
void Run(Way& way, const ParsedFragment& video, const FrameSelection& selection) {
  const double begin = ThreadSeconds();
  // The floor's pictures stay as they are coded: nothing is reduced or copied.
  const PictureForm form = way.analyzer ? way.analyzer->picture_form() : PictureForm{PictureFormat::kGray};
  std::unique_ptr<StreamAnalyzer> stream;
  if (way.analyzer) stream = Need(way.analyzer->Open("bench", {}));
  FragmentDecoder decoder({.selection = selection, .form = form});
  double analysis = 0;
  std::size_t pictures = 0;
  const auto look = [&](const Picture& picture) -> Result<void> {
    ++pictures;
    if (!stream) return {};
    AnalysisFrame frame;
    frame.image = picture.image;
    frame.key_frame = picture.key_frame;
    frame.producer_time = Timestamp::FromSeconds(1'000'000'000) + Duration(picture.timestamp_ns);
    const double before = ThreadSeconds();
    auto found = stream->Analyze(frame);
    analysis += ThreadSeconds() - before;
    if (!found) return std::move(found).error();
    return {};
  };
  Need(decoder.Decode(video, look));
  const double seconds = ThreadSeconds() - begin;
  if (way.pictures != 0 && seconds >= way.best_s) return;
  way.best_s = seconds;
  way.analysis_s = analysis;
  way.pictures = pictures;
}

double VideoSeconds(const ParsedFragment& video) {
  std::int64_t last = 0;
  for (const ParsedFrame& frame : video.frames)
    last = std::max(last, frame.timestamp_ns - video.timestamp_ns);
  const auto frames = VideoFrames(video).size();
  return static_cast<double>(last) / 1e9 * static_cast<double>(frames) / static_cast<double>(frames - 1);
}

void Report(const std::vector<Way>& ways, double video_s, const std::string& json) {
  std::ofstream out;
  if (!json.empty()) out.open(json);
  out << "{\"benchmark\": \"analyzers\", \"rows\": [\n";
  std::printf("%-8s %9s %15s %12s %14s %11s\n", "way", "pictures", "ms a picture", "of it ours",
              "cameras a core", "of the floor");
  for (const Way& way : ways) {
    const double cameras = video_s / way.best_s;
    const double ratio = ways.front().best_s / way.best_s;
    const auto pictures = static_cast<double>(way.pictures);
    std::printf("%-8s %9zu %15.2f %12.2f %14.1f %11.2f\n", way.name.c_str(), way.pictures,
                way.best_s / pictures * 1e3, way.analysis_s / pictures * 1e3, cameras, ratio);
    out << "  {\"way\": \"" << way.name << "\", \"cameras_per_core\": " << cameras
        << ", \"of_the_floor\": " << ratio << ", \"analysis_ms\": " << way.analysis_s / pictures * 1e3 << "}"
        << (&way == &ways.back() ? "\n" : ",\n");
  }
  out << "]}\n";
  if (!json.empty() && !out) throw std::runtime_error("cannot write " + json);
}

int Main(int argc, char** argv) {
  std::string path;
  std::string json;
  double budget_s = 20;
  FrameSelection selection{FrameSelection::Kind::kPerSecond, 5};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--file") path = argv[i + 1];
    if (option == "--json") json = argv[i + 1];
    if (option == "--seconds") budget_s = std::atof(argv[i + 1]);
    if (option == "--pictures") selection.n = static_cast<std::uint32_t>(std::atoi(argv[i + 1]));
  }
  if (path.empty() || argc % 2 == 0) {
    std::fprintf(stderr,
                 "usage: analyzers_bench --file VIDEO.mkv [--pictures N] [--seconds N] [--json FILE]\n");
    return 2;
  }
  cv::setNumThreads(1);
  std::ifstream in(path, std::ios::binary);
  const ParsedFragment video =
      Need(ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {}))));
  if (VideoFrames(video).size() < 2) throw std::runtime_error(path + " has no video");
  std::vector<Way> ways;
  ways.push_back({.name = "decode", .analyzer = nullptr});
  for (const char* name : {"motion", "tamper"}) {
    ways.push_back({.name = name, .analyzer = Need(FindBuiltInAnalyzer(name)->make({}))});
  }
  const double begin = ThreadSeconds();
  for (int round = 0; round < 3 || ThreadSeconds() - begin < budget_s; ++round) {
    for (Way& way : ways) Run(way, video, selection);
  }
  Report(ways, VideoSeconds(video), json);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  try {
    return millrace::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "analyzers_bench: %s\n", error.what());
    return 1;
  }
}
