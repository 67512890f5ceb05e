// How many frames a second can one core look for faces in, and how near is that to a bare OpenCV loop?
//
//   faces_bench --file VIDEO.mkv [--seconds N] [--json FILE]
//
// Three ways over the same file (H.264, 720p25 in scripts/bench), all with the faces analyzer's defaults:
//   defaults    key frames alone, through the parser, the decoder and the analyzer, as `millrace analyze`
//   does all frames  the same, every frame bare loop   cv::VideoCapture, cvtColor, resize, and the same
//   detector on every frame
// "All frames" against the bare loop is the ratio that says what our way costs. One thread each (OpenCV's and
// libavcodec's are switched off), and time is the processor's, so that other work on the machine changes
// little. Rounds alternate; each figure is the best of its rounds. The parts' times are means over the best
// round.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/faces/faces_analyzer.h"
#include "parser/decoder/fragment_decoder.h"

namespace millrace {
namespace {

// Of this thread, seconds.
double CpuNow() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Round {
  std::size_t frames = 0;
  std::size_t faces = 0;
  double total_s = 0;
  double detect_s = 0;
};

template <typename T>
T OrThrow(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().ToString());
  return std::move(*result);
}

Round ReadOurWay(const SharedBytes& file, const FrameSelection& selection, FrameAnalyzer& analyzer) {
  Round round;
  const double begin = CpuNow();
  const ParsedFragment parsed = OrThrow(ParseFragment(file));
  const auto stream = OrThrow(analyzer.Open("bench", {}));
  FragmentDecoder decoder({.selection = selection, .form = analyzer.picture_form()});
  OrThrow(decoder.Decode(parsed, [&](const Picture& picture) -> Result<void> {
    AnalysisFrame frame;
    frame.image = picture.image;
    const double detect = CpuNow();
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::object found, stream->Analyze(frame));
    round.detect_s += CpuNow() - detect;
    ++round.frames;
    round.faces += found.at("FaceSearchResponse").as_array().size();
    return {};
  }));
  round.total_s = CpuNow() - begin;
  return round;
}

Round ReadBare(const std::string& path, FaceDetector& detector) {
  Round round;
  const double begin = CpuNow();
  cv::VideoCapture capture(path, cv::CAP_FFMPEG);
  if (!capture.isOpened()) throw std::runtime_error("OpenCV cannot open " + path);
  const int rows = detector.form().rows_max;
  cv::Mat picture;
  cv::Mat gray;
  cv::Mat small;
  while (capture.read(picture)) {
    cv::cvtColor(picture, gray, cv::COLOR_BGR2GRAY);
    cv::resize(gray, small, {gray.cols * rows / gray.rows, rows}, 0, 0, cv::INTER_AREA);
    const double detect = CpuNow();
    round.faces += detector.Detect(small).size();
    round.detect_s += CpuNow() - detect;
    ++round.frames;
  }
  round.total_s = CpuNow() - begin;
  return round;
}

struct Row {
  const char* name;
  std::function<Round()> run;
  Round best{};

  double rate() const { return static_cast<double>(best.frames) / best.total_s; }
  double detect_ms() const { return best.detect_s / static_cast<double>(best.frames) * 1e3; }
  double other_ms() const { return (best.total_s - best.detect_s) / static_cast<double>(best.frames) * 1e3; }
};

void Print(const std::vector<Row>& rows, double ratio) {
  std::printf("%-12s %8s %8s %14s %14s %14s\n", "way", "frames", "faces", "frames/s/core", "detecting ms",
              "all else ms");
  for (const Row& row : rows) {
    std::printf("%-12s %8zu %8zu %14.1f %14.2f %14.2f\n", row.name, row.best.frames, row.best.faces,
                row.rate(), row.detect_ms(), row.other_ms());
  }
  std::printf("all frames against the bare loop: %.2f (aim 0.95); defaults: %.0f frames/s a core (aim 60)\n",
              ratio, rows[0].rate());
}

void WriteJson(const std::vector<Row>& rows, double ratio, const std::string& path) {
  std::ofstream out(path);
  out << "{\"benchmark\": \"faces\", \"against_bare_loop\": " << ratio << ", \"rows\": [\n";
  for (const Row& row : rows) {
    out << "  {\"way\": \"" << row.name << "\", \"frames\": " << row.best.frames
        << ", \"frames_per_second\": " << row.rate() << ", \"detect_ms\": " << row.detect_ms()
        << ", \"other_ms\": " << row.other_ms() << "}" << (&row == &rows.back() ? "\n" : ",\n");
  }
  out << "]}\n";
  if (!out) throw std::runtime_error("cannot write " + path);
}

int Main(int argc, char** argv) {
  std::string path;
  std::string json;
  double budget_s = 20;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--file" && i + 1 < argc) {
      path = argv[++i];
    } else if (option == "--seconds" && i + 1 < argc) {
      budget_s = std::atof(argv[++i]);
    } else if (option == "--json" && i + 1 < argc) {
      json = argv[++i];
    } else {
      path.clear();
      break;
    }
  }
  if (path.empty()) {
    std::fprintf(stderr, "usage: faces_bench --file VIDEO.mkv [--seconds N] [--json FILE]\n");
    return 2;
  }
  cv::setNumThreads(1);
  setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1", 1);
  std::ifstream in(path, std::ios::binary);
  const SharedBytes file(Bytes(std::istreambuf_iterator<char>(in), {}));
  const auto analyzer = OrThrow(FacesAnalyzer::Make({}));
  const auto detector = OrThrow(MakeFaceDetector({}));
  std::vector<Row> rows = {
      {"defaults", [&] { return ReadOurWay(file, {FrameSelection::Kind::kKeyFrames}, *analyzer); }},
      {"all frames", [&] { return ReadOurWay(file, {FrameSelection::Kind::kAll}, *analyzer); }},
      {"bare loop", [&] { return ReadBare(path, *detector); }}};
  const double begin = CpuNow();
  for (int i = 0; i < 3 || CpuNow() - begin < budget_s; ++i) {
    for (Row& row : rows) {
      const Round round = row.run();
      if (round.frames == 0) throw std::runtime_error(std::string(row.name) + " saw no frame");
      if (i == 0 || round.total_s < row.best.total_s) row.best = round;
    }
  }
  const double ratio = rows[1].rate() / rows[2].rate();
  Print(rows, ratio);
  if (!json.empty()) WriteJson(rows, ratio, json);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  try {
    return millrace::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "faces_bench: %s\n", error.what());
    return 1;
  }
}
