// An analyzer that misbehaves when it is told to: by the words in the file that MILLRACE_TEST_ANALYZER names.
//
//   crash-next   from now on the process aborts at the fragment that came first after this was said
//   throw-next   an exception leaves it there instead
//   hang-once    one frame never ends
//   slow         a frame takes 100 ms
//   leak         64 MiB a frame are never given back
//   fail         every frame is refused, which ends no process
//   rubbish      results that make no record: no UTF-8, too deep, too large, no number
//
// Which fragment was the first stands in a file of that name with the word behind it.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "consumers/analysis/analyzer_plugin.h"

namespace millrace {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

boost::json::object Rubbish(std::size_t number) {
  if (number % 4 == 0) return {{"Text", "\xC3\x28"}};
  if (number % 4 == 1) return {{"Text", std::string(1 << 20, 'x')}};
  if (number % 4 == 2) return {{"Numbers", {1, std::numeric_limits<double>::quiet_NaN()}}};
  boost::json::value deep;
  for (int i = 0; i < 100; ++i) deep = boost::json::array{std::move(deep)};
  return {{"Deep", std::move(deep)}};
}

class TestStream final : public StreamAnalyzer {
 public:
  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    const char* path = std::getenv("MILLRACE_TEST_ANALYZER");
    const std::string told = path != nullptr ? Read(path) : "";
    const std::string marker = std::string(path != nullptr ? path : "") + "." + told;
    if (told == "crash-next" || told == "throw-next") {
      if (Read(marker).empty()) std::ofstream(marker) << frame.fragment_number << std::endl;
      if (Read(marker) != frame.fragment_number) return Found(frame);
      if (told == "crash-next") std::abort();
      throw std::runtime_error("told to throw");
    }
    if (told == "hang-once" && Read(marker).empty()) {
      std::ofstream(marker) << frame.fragment_number << std::endl;
      std::promise<void>().get_future().wait();
    }
    if (told == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (told == "leak") leaked_.emplace_back(std::size_t{64} << 20, static_cast<char>(leaked_.size() + 1));
    if (told == "fail") return Error{ErrorCode::kUnsupported, "told to fail"};
    if (told == "rubbish") return Rubbish(rubbish_++);
    return Found(frame);
  }

 private:
  static boost::json::object Found(const AnalysisFrame& frame) {
    return {{"TestResponse", {{"Rows", frame.image.rows}, {"KeyFrame", frame.key_frame}}}};
  }

  std::size_t rubbish_ = 0;
  std::vector<std::string> leaked_;
};

class TestAnalyzer final : public FrameAnalyzer {
 public:
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object&) {
    return std::unique_ptr<FrameAnalyzer>(std::make_unique<TestAnalyzer>());
  }
  std::string name() const override { return "test"; }
  std::string version() const override { return "1"; }
  PictureForm picture_form() const override { return {PictureFormat::kGray, 90}; }
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string&, const boost::json::object&) override {
    return std::unique_ptr<StreamAnalyzer>(std::make_unique<TestStream>());
  }
};

}  // namespace
}  // namespace millrace

MILLRACE_ANALYZER(millrace::TestAnalyzer);
